#include "app/restart_pause.hpp"

#include <gtest/gtest.h>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

TEST(RestartPause, NobodyWaitsForTheFirstRestarts) {
    RestartPause pause;
    EXPECT_EQ(pause.after(2s), 0ms);
    EXPECT_EQ(pause.after(2s), 0ms);
}

TEST(RestartPause, GrowsWhileItEndsSoonAfterItsStartButNeverBeyondASecond) {
    RestartPause pause;
    for (const auto want : {0ms, 0ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms})
        EXPECT_EQ(pause.after(9s), want);
}

TEST(RestartPause, IsForgottenOnceItLivedForTenSeconds) {
    RestartPause pause;
    for (int i = 0; i < 6; ++i)
        pause.after(0s);
    EXPECT_EQ(pause.after(10s), 0ms);
    EXPECT_EQ(pause.after(0s), 0ms);
    EXPECT_EQ(pause.after(0s), 100ms);
}

}  // namespace
}  // namespace berth::app
