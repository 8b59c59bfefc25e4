#include "http/framing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace berth::http {
namespace {

constexpr std::size_t kFragments[] = {1, 2, 3, 7, 64, 4096};

struct RequestCase {
    std::string_view name, head;
    FramingErrc want;
};

// Feeds a head as a connection would see it: the first `fragment` bytes, then twice as many, and so on.
template <class Read>
auto framing_of(std::string_view text, std::size_t fragment, Read read) {
    for (std::size_t have = std::min(fragment, text.size());; have = std::min(have + fragment, text.size())) {
        auto result = read(text.substr(0, have));
        if (!result || *result == HeadProgress::complete || have == text.size()) return result;
    }
}

auto request_framing(std::string_view text, std::size_t fragment, RequestHead& head, HeadLimits limits = {}) {
    return framing_of(
        text, fragment, [&](std::string_view data) { return read_request_head(data, limits, head); });
}

std::string name_of_case(const testing::TestParamInfo<RequestCase>& info) {
    return std::string(info.param.name);
}

constexpr std::string_view kNul("GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n", 36);

constexpr RequestCase kRejected[] = {
    {"BothLengths",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     FramingErrc::length_with_transfer_encoding},
    {"BothLengthsTheOtherWayRound",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     FramingErrc::length_with_transfer_encoding},
    {"GzipWithoutChunked",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"GzipThenChunked",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"ChunkedThenGzip",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"ChunkedTwiceInOneField",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"ChunkedInTwoFields",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"IdentityCoding",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"EmptyCoding",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"CodingWithParameter",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n",
     FramingErrc::coding_not_chunked},
    {"CodingWithVerticalTab",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \vchunked\r\n\r\n",
     FramingErrc::malformed_field_value},
    {"ChunkedInHttp10",
     "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     FramingErrc::chunked_in_http_1_0},
    {"TwoDifferentLengths",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
     FramingErrc::conflicting_lengths},
    {"TwoEqualLengths",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
     FramingErrc::conflicting_lengths},
    {"LengthList",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n",
     FramingErrc::malformed_length},
    {"LengthWithSign",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n",
     FramingErrc::malformed_length},
    {"NegativeLength",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
     FramingErrc::malformed_length},
    {"HexLength", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n", FramingErrc::malformed_length},
    {"EmptyLength", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", FramingErrc::malformed_length},
    {"LengthBeyond64Bit",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n",
     FramingErrc::malformed_length},
    {"BareLineFeedAfterRequestLine", "GET / HTTP/1.1\nHost: h\r\n\r\n", FramingErrc::bare_line_feed},
    {"BareLineFeedAfterField", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", FramingErrc::bare_line_feed},
    {"BareLineFeedAtTheEnd", "GET / HTTP/1.1\r\nHost: h\r\n\n", FramingErrc::bare_line_feed},
    {"BareReturnInRequestLine", "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::bare_carriage_return},
    {"BareReturnInName", "GET / HTTP/1.1\r\nHost: h\r\nA\r: b\r\n\r\n", FramingErrc::bare_carriage_return},
    {"BareReturnInValue",
     "GET / HTTP/1.1\r\nHost: h\r\nA: b\rContent-Length: 5\r\n\r\n",
     FramingErrc::bare_carriage_return},
    {"ReturnTwiceAtTheEnd", "GET / HTTP/1.1\r\nHost: h\r\n\r\r\n", FramingErrc::bare_carriage_return},
    {"ReturnBeforeLineEnd", "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", FramingErrc::bare_carriage_return},
    {"SpaceBeforeColon",
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\n",
     FramingErrc::malformed_field_name},
    {"TabBeforeColon",
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length\t: 5\r\n\r\n",
     FramingErrc::malformed_field_name},
    {"NoColon", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length\r\n\r\n", FramingErrc::malformed_field_name},
    {"EmptyName", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", FramingErrc::malformed_field_name},
    {"NameBeyondAscii",
     "GET / HTTP/1.1\r\nHost: h\r\nContent-L\xC3\xA9ngth: 5\r\n\r\n",
     FramingErrc::malformed_field_name},
    {"NulInValue", kNul, FramingErrc::malformed_field_value},
    {"DeleteInValue", "GET / HTTP/1.1\r\nHost: h\r\nA: b\x7F\r\n\r\n", FramingErrc::malformed_field_value},
    {"Folding", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", FramingErrc::obsolete_folding},
    {"FoldingOfTheFirstField", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", FramingErrc::obsolete_folding},
    {"FoldingOfTransferEncoding",
     "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
     FramingErrc::obsolete_folding},
    {"NoHost", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", FramingErrc::missing_host},
    {"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", FramingErrc::several_hosts},
    {"TwoEqualHosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", FramingErrc::several_hosts},
    {"TwoHostsInHttp10", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", FramingErrc::several_hosts},
    {"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", FramingErrc::malformed_host},
    {"HostList", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", FramingErrc::malformed_host},
    {"HostWithUser", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", FramingErrc::malformed_host},
    {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", FramingErrc::malformed_host},
    {"HostWithNamedPort", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", FramingErrc::malformed_host},
    {"HostWithTwoPorts", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", FramingErrc::malformed_host},
    {"HostWithOpenBracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", FramingErrc::malformed_host},
    {"HostBesideTarget", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", FramingErrc::malformed_host},
    {"EmptyMethod", " / HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"MethodNoToken", "GE(T / HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"NoVersion", "GET /\r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"LowerCaseVersion", "GET / http/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"TrailingSpace", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"TwoDigitVersion", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"TwoEmptyLinesFirst", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_request_line},
    {"Version2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", FramingErrc::unsupported_version},
    {"Version12", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", FramingErrc::unsupported_version},
    {"Version09", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", FramingErrc::unsupported_version},
    {"EmptyTarget", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
    {"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
    {"TabInTarget", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
    {"FragmentInTarget", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
    {"RelativeTarget", "GET a/b HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
    {"StarForGet", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
    {"Connect", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", FramingErrc::malformed_target},
    {"OtherScheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", FramingErrc::malformed_target},
};

class Rejected : public testing::TestWithParam<RequestCase> {};

TEST_P(Rejected, WhateverTheFragmentSize) {
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        RequestHead head;
        const auto result = request_framing(GetParam().head, fragment, head);
        ASSERT_FALSE(result.has_value());
        EXPECT_TRUE(result.error().is(GetParam().want)) << result.error().message;
    }
}
INSTANTIATE_TEST_SUITE_P(Framing, Rejected, testing::ValuesIn(kRejected), name_of_case);

struct Accepted {
    std::string_view name, head, target;
    BodyKind kind;
    std::uint64_t length;
    bool keep_alive, upgrade;
};

constexpr Accepted kAccepted[] = {
    {"Plain",
     "GET /user/a%40b/api?x=1 HTTP/1.1\r\nHost: h\r\n\r\n",
     "/user/a%40b/api?x=1",
     BodyKind::none,
     0,
     true,
     false},
    {"ObsTextInTarget",
     "GET /\xC3\xBC HTTP/1.1\r\nHost: h\r\n\r\n",
     "/\xC3\xBC",
     BodyKind::none,
     0,
     true,
     false},
    {"ObsTextInValue",
     "GET / HTTP/1.1\r\nHost: h\r\nA: \xFF\x80\r\n\r\n",
     "/",
     BodyKind::none,
     0,
     true,
     false},
    {"UnescapedMarks",
     "GET /a|b{\"c\"}<d>\\ HTTP/1.1\r\nHost: h\r\n\r\n",
     "/a|b{\"c\"}<d>\\",
     BodyKind::none,
     0,
     true,
     false},
    {"EmptyLineFirst", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "/", BodyKind::none, 0, true, false},
    {"AbsoluteForm",
     "GET http://h:80/a?b HTTP/1.1\r\nHost: H:80\r\n\r\n",
     "http://h:80/a?b",
     BodyKind::none,
     0,
     true,
     false},
    {"StarForOptions", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*", BodyKind::none, 0, true, false},
    {"UrlInQuery",
     "GET /a?next=http://x/ HTTP/1.1\r\nHost: h\r\n\r\n",
     "/a?next=http://x/",
     BodyKind::none,
     0,
     true,
     false},
    {"Ipv6Host", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", "/", BodyKind::none, 0, true, false},
    {"HostWithUnderscore",
     "GET / HTTP/1.1\r\nHost: my_hub.local:8000\r\n\r\n",
     "/",
     BodyKind::none,
     0,
     true,
     false},
    {"Length",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 42\r\n\r\n",
     "/",
     BodyKind::length,
     42,
     true,
     false},
    {"ZeroLength",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
     "/",
     BodyKind::none,
     0,
     true,
     false},
    {"PaddedLength",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\t 42 \t\r\n\r\n",
     "/",
     BodyKind::length,
     42,
     true,
     false},
    {"Chunked",
     "POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: Chunked\r\n\r\n",
     "/",
     BodyKind::chunked,
     0,
     true,
     false},
    {"Close",
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: foo , Close\r\n\r\n",
     "/",
     BodyKind::none,
     0,
     false,
     false},
    {"OldClient", "GET / HTTP/1.0\r\n\r\n", "/", BodyKind::none, 0, false, false},
    {"OldClientKeepAlive",
     "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "/",
     BodyKind::none,
     0,
     true,
     false},
    {"Upgrade",
     "GET /w HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "/w",
     BodyKind::none,
     0,
     true,
     true},
    {"UpgradeWithoutConnection",
     "GET /w HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n",
     "/w",
     BodyKind::none,
     0,
     true,
     false},
    {"UpgradeInHttp10",
     "GET /w HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "/w",
     BodyKind::none,
     0,
     false,
     false},
    {"EmptyValue", "GET / HTTP/1.1\r\nHost: h\r\nA:\r\n\r\n", "/", BodyKind::none, 0, true, false},
};

class AcceptedRequest : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedRequest, WhateverTheFragmentSize) {
    const auto& want = GetParam();
    const std::string with_more = std::string(want.head) + "GET /next HTTP/1.1\r\n";
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        RequestHead head;
        const auto result = request_framing(with_more, fragment, head);
        ASSERT_TRUE(result.has_value()) << result.error().message;
        ASSERT_EQ(*result, HeadProgress::complete);
        EXPECT_EQ(head.target, want.target);
        EXPECT_EQ(head.body.kind, want.kind);
        EXPECT_EQ(head.body.length, want.length);
        EXPECT_EQ(head.keep_alive, want.keep_alive);
        EXPECT_EQ(head.upgrade, want.upgrade);
        EXPECT_EQ(head.bytes, want.head.size());
    }
}
INSTANTIATE_TEST_SUITE_P(Framing, AcceptedRequest, testing::ValuesIn(kAccepted), [](const auto& each) {
    return std::string(each.param.name);
});

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

struct ResponseCase {
    std::string_view name, head;
    AnswersHead answers_head;
    BodyKind kind;
    std::uint64_t length;
    bool keep_alive;
};

constexpr ResponseCase kResponses[] = {
    {"Length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", AnswersHead::no, BodyKind::length, 3, true},
    {"NoLength", "HTTP/1.1 200 OK\r\n\r\n", AnswersHead::no, BodyKind::until_close, 0, false},
    {"Chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     AnswersHead::no,
     BodyKind::chunked,
     0,
     true},
    {"NoReason", "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", AnswersHead::no, BodyKind::length, 3, true},
    {"EmptyReason", "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n", AnswersHead::no, BodyKind::length, 3, true},
    {"ToHead", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", AnswersHead::yes, BodyKind::none, 0, true},
    {"ToHeadChunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     AnswersHead::yes,
     BodyKind::none,
     0,
     true},
    {"ToHeadNoLength", "HTTP/1.1 200 OK\r\n\r\n", AnswersHead::yes, BodyKind::none, 0, true},
    {"NoContent",
     "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
     AnswersHead::no,
     BodyKind::none,
     0,
     true},
    {"NotModified",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
     AnswersHead::no,
     BodyKind::none,
     0,
     true},
    {"Continue", "HTTP/1.1 100 Continue\r\n\r\n", AnswersHead::no, BodyKind::none, 0, true},
    {"Switching",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
     AnswersHead::no,
     BodyKind::none,
     0,
     true},
    {"Http10", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", AnswersHead::no, BodyKind::length, 3, false},
    {"Close",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
     AnswersHead::no,
     BodyKind::length,
     3,
     false},
};

class AcceptedResponse : public testing::TestWithParam<ResponseCase> {};

TEST_P(AcceptedResponse, WhateverTheFragmentSize) {
    const auto& want = GetParam();
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        ResponseHead head;
        const auto result = framing_of(want.head, fragment, [&](std::string_view data) {
            return read_response_head(data, {}, want.answers_head, head);
        });
        ASSERT_TRUE(result.has_value()) << result.error().message;
        ASSERT_EQ(*result, HeadProgress::complete);
        EXPECT_EQ(head.body.kind, want.kind);
        EXPECT_EQ(head.body.length, want.length);
        EXPECT_EQ(head.keep_alive, want.keep_alive);
        EXPECT_EQ(head.bytes, want.head.size());
    }
}
INSTANTIATE_TEST_SUITE_P(Framing, AcceptedResponse, testing::ValuesIn(kResponses), [](const auto& each) {
    return std::string(each.param.name);
});

constexpr RequestCase kRejectedResponses[] = {
    {"BothLengths",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     FramingErrc::length_with_transfer_encoding},
    {"BothLengthsWithoutBody",
     "HTTP/1.1 304 N\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     FramingErrc::length_with_transfer_encoding},
    {"ChunkedInHttp10",
     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     FramingErrc::chunked_in_http_1_0},
    {"NotChunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", FramingErrc::coding_not_chunked},
    {"TwoLengths",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n",
     FramingErrc::conflicting_lengths},
    {"ShortStatus", "HTTP/1.1 20 OK\r\n\r\n", FramingErrc::malformed_status_line},
    {"LongStatus", "HTTP/1.1 2000 OK\r\n\r\n", FramingErrc::malformed_status_line},
    {"StatusBelow100", "HTTP/1.1 099 OK\r\n\r\n", FramingErrc::malformed_status_line},
    {"OtherProtocol", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", FramingErrc::malformed_status_line},
    {"Version2", "HTTP/2.0 200 OK\r\n\r\n", FramingErrc::unsupported_version},
    {"BareLineFeed", "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n", FramingErrc::bare_line_feed},
    {"BareReturn", "HTTP/1.1 200 O\rK\r\nContent-Length: 5\r\n\r\n", FramingErrc::bare_carriage_return},
    {"ControlInReason", "HTTP/1.1 200 O\x01K\r\n\r\n", FramingErrc::malformed_status_line},
};

class RejectedResponse : public testing::TestWithParam<RequestCase> {};

TEST_P(RejectedResponse, WhateverTheFragmentSize) {
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        ResponseHead head;
        const auto result = framing_of(GetParam().head, fragment, [&](std::string_view data) {
            return read_response_head(data, {}, AnswersHead::no, head);
        });
        ASSERT_FALSE(result.has_value());
        EXPECT_TRUE(result.error().is(GetParam().want)) << result.error().message;
    }
}
INSTANTIATE_TEST_SUITE_P(Framing, RejectedResponse, testing::ValuesIn(kRejectedResponses), name_of_case);

}  // namespace
}  // namespace berth::http
