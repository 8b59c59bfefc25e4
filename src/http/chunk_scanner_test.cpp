#include "http/framing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace berth::http {
namespace {

constexpr std::size_t kFragments[] = {1, 2, 3, 7, 64, 40'000};

struct Scanned {
    std::string payload;
    std::size_t consumed = 0;
    bool done = false;
    FramingErrc refused{};
};

Scanned scan(std::string_view text, std::size_t fragment) {
    Scanned out;
    ChunkScanner scanner;
    while (!text.empty() && !out.done) {
        std::string_view piece = text.substr(0, fragment);
        text.remove_prefix(piece.size());
        while (!piece.empty() && !out.done) {
            const auto step = scanner.next(piece);
            if (!step) {
                out.refused = static_cast<FramingErrc>(step.error().code.value());
                return out;
            }
            out.payload += step->payload;
            out.consumed += step->consumed;
            out.done = step->done;
            piece.remove_prefix(step->consumed);
        }
    }
    EXPECT_EQ(out.done, scanner.done());
    return out;
}

struct ChunkCase {
    std::string_view name, body;
    FramingErrc want;
};

constexpr ChunkCase kRejected[] = {
    {"NoSize", "\r\n", FramingErrc::malformed_chunk_size},
    {"NoHexDigit", "g\r\n", FramingErrc::malformed_chunk_size},
    {"Sign", "+5\r\nhello\r\n", FramingErrc::malformed_chunk_size},
    {"HexPrefix", "0x5\r\nhello\r\n", FramingErrc::malformed_chunk_size},
    {"LeadingSpace", " 5\r\nhello\r\n", FramingErrc::malformed_chunk_size},
    {"SpaceAfterSize", "5 \r\nhello\r\n", FramingErrc::malformed_chunk_size},
    {"SpaceBeforeExtension", "5 ;a\r\nhello\r\n", FramingErrc::malformed_chunk_size},
    {"ExtensionWithoutSize", ";a\r\n", FramingErrc::malformed_chunk_size},
    {"SizeBeyondAnyLimit", "7fffffffffffffff\r\n", FramingErrc::chunk_too_large},
    {"SizeThatWouldWrapAround", "10000000000000005\r\nhello\r\n", FramingErrc::chunk_too_large},
    {"ManyLeadingZeros", "00000000000000005\r\nhello\r\n", FramingErrc::chunk_too_large},
    {"DataTooLong", "5\r\nhello!\r\n0\r\n\r\n", FramingErrc::malformed_chunk_end},
    {"DataTooShort", "6\r\nhello\r\n0\r\n\r\n", FramingErrc::malformed_chunk_end},
    {"LineFeedAfterData", "5\r\nhello\n0\r\n\r\n", FramingErrc::malformed_chunk_end},
    {"ReturnAfterData", "5\r\nhello\r0\r\n\r\n", FramingErrc::malformed_chunk_end},
    {"LineFeedAfterSize", "5\nhello\r\n", FramingErrc::bare_line_feed},
    {"LineFeedInExtension", "5;a\nhello\r\n", FramingErrc::bare_line_feed},
    {"ReturnAfterSize", "5\rhello\r\n", FramingErrc::bare_carriage_return},
    {"ReturnInExtension", "5;a\rb\r\nhello\r\n", FramingErrc::bare_carriage_return},
    {"ControlInExtension", "5;a\x01\r\nhello\r\n", FramingErrc::malformed_field_value},
    {"LineFeedAsTheEnd", "0\r\n\n", FramingErrc::bare_line_feed},
    {"ReturnAsTheEnd", "0\r\n\rX", FramingErrc::bare_carriage_return},
    {"LineFeedInTrailer", "0\r\nA: b\nC: d\r\n\r\n", FramingErrc::bare_line_feed},
    {"ReturnInTrailer", "0\r\nA: b\rC: d\r\n\r\n", FramingErrc::bare_carriage_return},
    {"ControlInTrailer", "0\r\nA: b\x02\r\n\r\n", FramingErrc::malformed_field_value},
    {"FoldedTrailer", "0\r\nA: b\r\n c\r\n\r\n", FramingErrc::obsolete_folding},
    {"TrailerWithoutName", "0\r\n: b\r\n\r\n", FramingErrc::malformed_field_name},
};

class RejectedChunks : public testing::TestWithParam<ChunkCase> {};

TEST_P(RejectedChunks, WhateverTheFragmentSize) {
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        const auto scanned = scan(GetParam().body, fragment);
        EXPECT_EQ(text_of(scanned.refused), text_of(GetParam().want));
    }
}
INSTANTIATE_TEST_SUITE_P(Framing, RejectedChunks, testing::ValuesIn(kRejected), [](const auto& each) {
    return std::string(each.param.name);
});

TEST(ChunkScanner, FindsTheEndWhateverTheFragmentSize) {
    constexpr std::string_view kBodies[] = {
        "0\r\n\r\n",
        "5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\n\r\n",
        "B\r\nhello world\r\n000;last\r\nTrailer: x\r\nOther:\r\n\r\n",
    };
    constexpr std::string_view kPayloads[] = {"", "hello world", "hello world"};
    for (std::size_t i = 0; i < 3; ++i) {
        for (const std::size_t fragment : kFragments) {
            SCOPED_TRACE(std::string(kBodies[i]) + " by " + std::to_string(fragment));
            const auto scanned = scan(std::string(kBodies[i]) + "GET /next HTTP/1.1\r\n", fragment);
            EXPECT_TRUE(scanned.done);
            EXPECT_EQ(scanned.payload, kPayloads[i]);
            EXPECT_EQ(scanned.consumed, kBodies[i].size());
        }
    }
}

TEST(ChunkScanner, BoundsWhatExtensionsAndTrailersMayAdd) {
    std::string extensions;
    for (int i = 0; i < 5000; ++i)
        extensions += "1;abcdefg\r\nx\r\n";
    const std::string trailers = "0\r\n" + std::string(20'000, 'a') + ": b\r\n\r\n";
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        EXPECT_EQ(scan(extensions, fragment).refused, FramingErrc::trailers_too_large);
        EXPECT_EQ(scan(trailers, fragment).refused, FramingErrc::trailers_too_large);
    }
}

TEST(ChunkScanner, WantsMoreUntilTheLastByte) {
    constexpr std::string_view kBody = "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for (std::size_t length = 0; length < kBody.size(); ++length) {
        EXPECT_FALSE(scan(kBody.substr(0, length), 4).done);
    }
}

}  // namespace
}  // namespace berth::http
