#include "identity/throttle.hpp"

#include <gtest/gtest.h>

namespace berth::identity {
namespace {

using namespace std::chrono_literals;
const Throttle::Clock::time_point kStart{1000h};

TEST(Throttle, TheFirstTriesAreFreeThenEachFailureDoublesTheWait) {
    Throttle throttle(3);
    auto now = kStart;
    for (int n = 0; n < 3; ++n) {
        EXPECT_EQ(throttle.wait("ann", "10.0.0.1", now), 0s);
        throttle.begin_try("ann", "10.0.0.1", now);
    }
    for (const auto wanted : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
        EXPECT_EQ(throttle.wait("ann", "10.0.0.1", now), wanted);
        EXPECT_EQ(throttle.wait("ann", "10.0.0.1", now + wanted - 1ms), 1s);
        now += wanted;
        EXPECT_EQ(throttle.wait("ann", "10.0.0.1", now), 0s);
        throttle.begin_try("ann", "10.0.0.1", now);
    }
}

TEST(Throttle, AnAccountIsSlowedFromEveryAddressAndOthersAreNot) {
    Throttle throttle(2);
    throttle.begin_try("ann", "10.0.0.1", kStart);
    throttle.begin_try("ann", "10.0.0.2", kStart);
    EXPECT_GT(throttle.wait("ann", "10.0.0.3", kStart), 0s);
    EXPECT_EQ(throttle.wait("bob", "10.0.0.1", kStart), 0s);
}

TEST(Throttle, AnAddressThatTriesManyAccountsIsSlowed) {
    Throttle throttle(2);
    for (int n = 0; n < 20; ++n)
        throttle.begin_try("user" + std::to_string(n), "10.0.0.1", kStart);
    EXPECT_GT(throttle.wait("someone", "10.0.0.1", kStart), 0s);
    EXPECT_EQ(throttle.wait("someone", "10.0.0.2", kStart), 0s);
}

TEST(Throttle, SuccessForgivesTheAccountAndOnlyItsOwnTryOfTheAddress) {
    Throttle throttle(1);
    for (int n = 0; n < 10; ++n)
        throttle.begin_try("user" + std::to_string(n), "10.0.0.1", kStart);
    throttle.begin_try("ann", "10.0.0.1", kStart);
    throttle.succeeded("ann", "10.0.0.1");
    EXPECT_EQ(throttle.wait("ann", "10.0.0.2", kStart), 0s);
    EXPECT_EQ(throttle.wait("x", "10.0.0.1", kStart), 1s) << "ten failures, not eleven";
}

TEST(Throttle, AnHourForgets) {
    Throttle throttle(1);
    throttle.begin_try("ann", "", kStart);
    EXPECT_GT(throttle.wait("ann", "", kStart), 0s);
    EXPECT_EQ(throttle.wait("ann", "", kStart + 1h), 0s);
}

TEST(Throttle, ItsMemoryIsBounded) {
    Throttle throttle(1, 100);
    for (int n = 0; n < 1000; ++n)
        throttle.begin_try("user" + std::to_string(n), std::to_string(n), kStart);
    EXPECT_LE(throttle.keys(), 100U);
    EXPECT_GT(throttle.wait("user999", "", kStart), 0s) << "the newest stay";
}

}  // namespace
}  // namespace berth::identity
