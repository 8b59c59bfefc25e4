// 10^6 random operations through Inventory, Leases and AllocatorFacade, with commits that fail and crashes
// anywhere in between; every invariant is checked after every step (property_invariants_test.cpp).
#include "gpu/property_world.hpp"

#include <gtest/gtest.h>

#include <iostream>

namespace berth::gpu::property {
namespace {

constexpr int kStepsPerSeed = 5000;
#ifdef NDEBUG
constexpr std::uint64_t kSeeds = 200;
#else
constexpr std::uint64_t kSeeds =
    8;  // sanitizers cost fifty times as much; the million is the release build's
#endif

void add(Tally& sum, const Tally& each) {
    sum.grants += each.grants;
    sum.refusals += each.refusals;
    sum.failed_commits += each.failed_commits;
    sum.crashes += each.crashes;
    sum.releases_at_once += each.releases_at_once;
    sum.populates += each.populates;
    sum.expired += each.expired;
    sum.cordons += each.cordons;
    sum.reports += each.reports;
}

TEST(LeasesProperty, AMillionOperationsWithCrashesKeepTheInvariants) {
    Tally sum;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        World world(seed);
        for (int step = 0; step < kStepsPerSeed; ++step) {
            world.step();
            ASSERT_EQ(violations(world), "") << "seed " << seed << " step " << step;
        }
        add(sum, world.tally);
    }
    // The run must reach what it is about.
    EXPECT_GT(sum.grants, kSeeds * 400);
    EXPECT_GT(sum.refusals, kSeeds * 250);
    EXPECT_GT(sum.failed_commits, kSeeds * 100);
    EXPECT_GT(sum.crashes, kSeeds * 50);
    EXPECT_GT(sum.releases_at_once, kSeeds * 5);
    EXPECT_GT(sum.populates, kSeeds * 100);
    EXPECT_GT(sum.expired, kSeeds * 20);
    EXPECT_GT(sum.cordons, kSeeds * 20);
    EXPECT_GT(sum.reports, kSeeds * 50);
    std::cout << "grants " << sum.grants << ", refusals " << sum.refusals << ", failed commits "
              << sum.failed_commits << ", crashes " << sum.crashes << ", releases at once "
              << sum.releases_at_once << ", populates " << sum.populates << ", expired " << sum.expired
              << ", cordons " << sum.cordons << ", reports " << sum.reports << "\n";
}

}  // namespace
}  // namespace berth::gpu::property
