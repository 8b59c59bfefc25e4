#include "http/framing.hpp"

#include "http/impl/framing_test_support.hpp"

#include <gtest/gtest.h>

#include <string>

namespace berth::http {
namespace {

using test::framing_of;
using test::kFragments;

auto request_framing(std::string_view text, std::size_t fragment, RequestHead& head, HeadLimits limits = {}) {
    return framing_of(
        text, fragment, [&](std::string_view data) { return read_request_head(data, limits, head); });
}

TEST(Framing, GivesTheFieldsInOrderAndTrimmed) {
    RequestHead head;
    ASSERT_TRUE(
        request_framing("GET / HTTP/1.1\r\nHost: h\r\nA:  x y\t\r\nB:z\r\n\r\n", 5, head).has_value());
    ASSERT_EQ(head.fields.size(), 3U);
    EXPECT_EQ(head.fields[1].name, "A");
    EXPECT_EQ(head.fields[1].value, "x y");
    EXPECT_EQ(find_field(head.fields, "b"), "z");
    EXPECT_EQ(find_field(head.fields, "c"), "");
    EXPECT_EQ(head.method, "GET");
}

TEST(Framing, FindsEveryControlCharacterAtEveryPlaceOfAValue) {
    for (std::size_t place = 0; place < 24; ++place) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string value(25, 'v');
            value[place] = static_cast<char>(byte);
            const std::string text = "GET / HTTP/1.1\r\nHost: h\r\nA: x" + value + "\r\n\r\n";
            RequestHead head;
            const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
            EXPECT_EQ(read_request_head(text, {}, head).has_value(), !control) << place << " " << byte;
        }
    }
}

TEST(Framing, RefusesAHeadOverItsLimitAtTheLimit) {
    const HeadLimits limits{64, 200};
    const std::string fits = "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(64 - 32, 'x') + "\r\n\r\n";
    ASSERT_EQ(fits.size(), 64U);
    RequestHead head;
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        EXPECT_TRUE(request_framing(fits, fragment, head, limits).has_value());
        const auto result =
            request_framing("GET / HTTP/1.1\r\nHost: h\r\nA: x" + fits.substr(28), fragment, head, limits);
        ASSERT_FALSE(result.has_value());
        EXPECT_TRUE(result.error().is(FramingErrc::head_too_large));
    }
}

TEST(Framing, RefusesTooManyFields) {
    RequestHead head;
    const auto result =
        request_framing("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n", 1, head, {1024, 2});
    ASSERT_FALSE(result.has_value());
    EXPECT_TRUE(result.error().is(FramingErrc::too_many_fields));
}

TEST(Framing, IsIncompleteUntilTheLastByte) {
    constexpr std::string_view kHead = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    RequestHead head;
    for (std::size_t length = 0; length < kHead.size(); ++length) {
        const auto result = read_request_head(kHead.substr(0, length), {}, head);
        ASSERT_TRUE(result.has_value());
        EXPECT_EQ(*result, HeadProgress::incomplete);
    }
}

}  // namespace
}  // namespace berth::http
