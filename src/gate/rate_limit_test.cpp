#include "gate/rate_limit.hpp"

#include <gtest/gtest.h>

namespace berth::gate {
namespace {

using namespace std::chrono_literals;

const RateLimit::Clock::time_point kBegin{1000h};

int taken(RateLimit& limit, const std::string& key, RateLimit::Clock::time_point now, int tries = 1000) {
    int count = 0;
    for (int i = 0; i < tries; ++i)
        count += limit.take(key, now) ? 1 : 0;
    return count;
}

TEST(RateLimit, GivesTheBurstAtOnceAndThenItsShareOfEachSecond) {
    RateLimit limit(10, 30);
    EXPECT_EQ(taken(limit, "ann", kBegin), 30);
    EXPECT_EQ(taken(limit, "ann", kBegin + 99ms), 0);
    EXPECT_EQ(taken(limit, "ann", kBegin + 100ms), 1);
    EXPECT_EQ(taken(limit, "ann", kBegin + 1100ms), 10);
    EXPECT_EQ(taken(limit, "ann", kBegin + 1h), 30) << "what was not used is not saved up";
}

TEST(RateLimit, OneKeyTakesNothingFromAnother) {
    RateLimit limit(10, 30);
    EXPECT_EQ(taken(limit, "ann", kBegin), 30);
    EXPECT_EQ(taken(limit, "bob", kBegin), 30);
}

TEST(RateLimit, ZeroSetsNoLimit) {
    RateLimit limit(0, 1);
    EXPECT_EQ(taken(limit, "ann", kBegin), 1000);
    EXPECT_EQ(limit.keys(), 0U);
}

TEST(RateLimit, ForgetsThoseWhoOweNothingFirst) {
    RateLimit limit(10, 30, 4);
    for (const char* key : {"a", "b", "c"})
        limit.take(key, kBegin);
    EXPECT_EQ(taken(limit, "busy", kBegin), 30);
    EXPECT_TRUE(limit.take("new", kBegin + 200ms));
    EXPECT_EQ(taken(limit, "busy", kBegin + 200ms), 2) << "the busy one is still known";
    for (int i = 0; i < 100; ++i)
        limit.take(std::to_string(i), kBegin + 200ms);
    EXPECT_LE(limit.keys(), 4U);
}

}  // namespace
}  // namespace berth::gate
