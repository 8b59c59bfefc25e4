// A key is good for one act of one person.
#include "api/idempotency.hpp"

#include <gtest/gtest.h>

namespace berth::api {
namespace {

using State = IdempotencyKeys::State;
using namespace std::chrono_literals;

TEST(IdempotencyKeys, TheSecondGetsTheFirstOnesAnswer) {
    IdempotencyKeys keys;
    const auto now = IdempotencyKeys::Clock::now();
    EXPECT_EQ(keys.begin("ann", "k", "{}", now), State::fresh);
    EXPECT_EQ(keys.begin("ann", "k", "{}", now), State::under_way);
    keys.done("ann", "k", http::Response::text(201, "made"));
    EXPECT_EQ(keys.begin("ann", "k", "{}", now), State::repeated);
    EXPECT_EQ(keys.found("ann", "k").body, "made");
    EXPECT_EQ(keys.begin("ann", "k", "{\"other\":1}", now), State::other);
    EXPECT_EQ(keys.begin("bob", "k", "{}", now), State::fresh) << "his keys are his own";
}

TEST(IdempotencyKeys, ARefusalIsNotKept) {
    IdempotencyKeys keys;
    const auto now = IdempotencyKeys::Clock::now();
    EXPECT_EQ(keys.begin("ann", "k", "{}", now), State::fresh);
    keys.done("ann", "k", http::Response::empty(409));
    EXPECT_EQ(keys.begin("ann", "k", "{}", now), State::fresh);
}

TEST(IdempotencyKeys, TheyAreBoundedInNumberAndTime) {
    IdempotencyKeys keys;
    const auto now = IdempotencyKeys::Clock::now();
    for (int i = 0; i < 10'000; ++i) {
        const auto key = std::to_string(i);
        EXPECT_EQ(keys.begin("ann", key, "", now), State::fresh);
        keys.done("ann", key, http::Response::empty(204));
    }
    EXPECT_LE(keys.size(), 4096U);
    EXPECT_EQ(keys.begin("ann", "9999", "", now + 25h), State::fresh);
    EXPECT_EQ(keys.size(), 1U);
}

}  // namespace
}  // namespace berth::api
