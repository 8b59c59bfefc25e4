#include "gpu/fair_share.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

using std::chrono::hours;

const Timestamp kStart(hours(24 * 365 * 50));
const UserId kAnn{1}, kBob{2};

TEST(FairShare, HalvesInAHalfLife) {
    FairShare shares;
    shares.charge(kAnn, "", 100, kStart);
    EXPECT_NEAR(shares.usage(kAnn, kStart + hours(24 * 7)), 50, 1e-9);
    shares.charge(kAnn, "", 50, kStart + hours(24 * 7));
    EXPECT_NEAR(shares.usage(kAnn, kStart + hours(24 * 14)), 50, 1e-9);
    EXPECT_EQ(shares.usage(kBob, kStart), 0);
}

TEST(FairShare, EqualsTheNaiveSumOverYears) {
    FairShare shares;
    double naive = 0;
    constexpr int kWeeks = 400;  // rescaled several times on the way
    for (int week = 0; week < kWeeks; ++week) {
        shares.charge(kAnn, "", 10 + week % 3, kStart + hours(24 * 7 * week));
        naive = naive / 2 + 10 + week % 3;
    }
    EXPECT_NEAR(shares.usage(kAnn, kStart + hours(24 * 7 * (kWeeks - 1))), naive, 1e-6);
}

TEST(FairShare, AWeightDividesAndGroupsAddUp) {
    FairShare shares;
    shares.set_weight(kAnn, 2);
    shares.set_weight("ml", 4);
    shares.charge(kAnn, "ml", 100, kStart);
    shares.charge(kBob, "ml", 60, kStart);
    EXPECT_DOUBLE_EQ(shares.of_user(kAnn), 50);
    EXPECT_LT(shares.of_user(kAnn), shares.of_user(kBob));
    EXPECT_DOUBLE_EQ(shares.of_group("ml"), 40);
}

TEST(FairShare, WhatIsTakenBackLeavesNothing) {
    FairShare shares;
    shares.charge(kBob, "", 1, kStart);
    const Timestamp granted = kStart + hours(40);
    shares.charge(kAnn, "", 7200, granted);
    shares.charge(kAnn, "", -7200, granted);
    EXPECT_EQ(shares.usage(kAnn, granted + hours(100)), 0);
}

}  // namespace
}  // namespace berth::gpu
