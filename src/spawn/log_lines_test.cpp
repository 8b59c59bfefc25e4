#include "spawn/log_lines.hpp"

#include "base/text.hpp"

#include <gtest/gtest.h>

namespace berth::spawn {
namespace {

TEST(LastLines, AreTheLastOnesInOrder) {
    std::string log;
    for (int i = 1; i <= 30; ++i)
        log += "line " + std::to_string(i) + "\r\n";
    const std::string lines = last_lines(log);
    EXPECT_TRUE(lines.starts_with("line 11\n")) << lines;
    EXPECT_TRUE(lines.ends_with("line 30")) << lines;
}

TEST(LastLines, HoldNothingThatMovesATerminal) {
    EXPECT_EQ(last_lines("\x1b[31mred\x1b[0m\a text\x1b"), "red text");
    EXPECT_EQ(last_lines("tail\x1b[3"), "tail");
    EXPECT_EQ(last_lines("caf\xe9 bar"), "caf? bar");
    EXPECT_EQ(last_lines("café"), "café");
}

TEST(LastLines, AreLimited) {
    const std::string one(100'000, 'x');
    EXPECT_LE(last_lines(one).size(), 4096U);
    EXPECT_FALSE(last_lines(one).empty());
    EXPECT_LE(last_lines(one + "\n" + std::string(3000, 'y') + "\n" + std::string(3000, 'z')).size(), 4096U);
    EXPECT_EQ(last_lines(""), "");
    EXPECT_EQ(last_lines("\n\n\n"), "");
}

}  // namespace
}  // namespace berth::spawn
