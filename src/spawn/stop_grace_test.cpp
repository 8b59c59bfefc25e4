#include "spawn/stop_grace.hpp"

#include <gtest/gtest.h>

namespace berth::spawn {
namespace {

using namespace std::chrono_literals;

TEST(StopGrace, IsTheOptionUnlessTheDeadlineIsNearer) {
    EXPECT_EQ(stop_grace(30s, 45s), 30s) << "what the reaper leaves: stop_timeout and 15 s";
    EXPECT_EQ(stop_grace(30s, 44'990ms), 30s);
    EXPECT_EQ(stop_grace(3600s, 3615s), 3600s);
    EXPECT_EQ(stop_grace(1s, 300s), 1s);
    EXPECT_EQ(stop_grace(30s, 25s), 15s);
    EXPECT_EQ(stop_grace(30s, 10s), 5s);
    EXPECT_EQ(stop_grace(30s, 900ms), 0s);
    EXPECT_EQ(stop_grace(30s, 0ms), 0s);
}

}  // namespace
}  // namespace berth::spawn
