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
