#include "http/websocket_frames.hpp"

#include <gtest/gtest.h>

#include <string>

namespace berth::http {
namespace {

std::string frame(std::size_t size, bool masked) {
    std::string bytes = "\x82";
    const auto mask = static_cast<char>(masked ? 0x80 : 0);
    if (size < 126) {
        bytes += static_cast<char>(mask | static_cast<char>(size));
    } else if (size < 65536) {
        bytes += static_cast<char>(mask | 126);
        for (int shift = 8; shift >= 0; shift -= 8)
            bytes += static_cast<char>(size >> shift);
    } else {
        bytes += static_cast<char>(mask | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            bytes += static_cast<char>(size >> shift);
    }
    if (masked) bytes += "mask";
    return bytes + std::string(size, 'x');
}

TEST(WebSocketFrames, BoundaryIsWhereEachFrameEndsHoweverItIsCut) {
    for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 65535UL, 65536UL, 70000UL}) {
        for (const bool masked : {false, true}) {
            const auto one = frame(size, masked);
            for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 4096UL, 200000UL}) {
                SCOPED_TRACE(
                    testing::Message() << size << (masked ? " masked" : "") << " in pieces of " << piece);
                FrameBoundary frames;
                const auto all = one + one;
                EXPECT_TRUE(frames.between_frames());
                for (std::size_t at = 0; at < all.size(); at += piece) {
                    const auto part = std::string_view(all).substr(at, piece);
                    frames.advance(part);
                    const auto given = at + part.size();
                    EXPECT_EQ(frames.between_frames(), given % one.size() == 0);
                }
            }
        }
    }
}

}  // namespace
}  // namespace berth::http
