// A clock that is set, forward or back, is seen; one that drifts or a machine that sleeps is not.
#include "hub/clock_watch.hpp"

#include <gtest/gtest.h>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

const Timestamp kWall{std::chrono::hours(24 * 365 * 50)};

TEST(ClockWatch, SeesTheClockSetForwardAndBack) {
    ClockWatch watch(kWall, 100s);
    EXPECT_FALSE(watch.jump(kWall + 10s, 110s));
    EXPECT_EQ(watch.jump(kWall + 2h + 20s, 120s), 2h);
    EXPECT_FALSE(watch.jump(kWall + 2h + 30s, 130s));
    EXPECT_EQ(watch.jump(kWall + 40s, 140s), -2h);
}

TEST(ClockWatch, SlowDriftAndSleepAreNone) {
    ClockWatch watch(kWall, 100s);
    EXPECT_FALSE(watch.jump(kWall + 10s + 59s, 110s));
    EXPECT_FALSE(watch.jump(kWall + 59s + 8h, 110s + 8h)) << "asleep: both went on";
}

TEST(ClockWatch, NothingIsOverJustAfterTheStartOrAJump) {
    ClockWatch watch(kWall, 100s);
    EXPECT_FALSE(watch.steady_for(5min, 101s));
    EXPECT_TRUE(watch.steady_for(5min, 400s));
    EXPECT_TRUE(watch.jump(kWall + 10h, 410s));
    EXPECT_FALSE(watch.steady_for(5min, 411s));
    EXPECT_TRUE(watch.steady_for(5min, 710s));
}

}  // namespace
}  // namespace berth::hub
