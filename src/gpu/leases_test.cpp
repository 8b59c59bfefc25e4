#include "gpu/leases.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

using namespace std::chrono_literals;
using store::LeaseState;

const Timestamp kNow{1'700'000'000s};
const UserId kAnn{1};
const UserId kBob{2};
const UserId kEve{3};

config::GpuOptions options_of(std::size_t devices, std::uint32_t factor = 1) {
    config::GpuOptions options;
    options.oversubscription = factor;
    options.privacy = "open";
    for (std::size_t i = 0; i < devices; ++i) {
        config::GpuDeviceOptions device;
        device.uuid = "GPU-" + std::string(1, static_cast<char>('a' + i));
        options.devices.push_back(std::move(device));
    }
    return options;
}

struct LeasesTest : testing::Test {
    void start(std::size_t devices, std::uint32_t factor = 1) { start(options_of(devices, factor)); }
    void start(config::GpuOptions with) {
        options = std::move(with);
        inventory.emplace(options, std::vector<store::DeviceRow>{});
        leases.emplace(options, [](UserId user) {
            return std::string(user == kAnn ? "ann" : user == kBob ? "bob" : "eve");
        });
        leases->sync(*inventory);
    }
    Result<Leases::Granted> try_reserve(int id, UserId user, std::uint32_t count = 1) {
        DeviceRequest request{.count = count, .sharing = leases->sharing(false)};
        return leases->reserve(LeaseId{id}, user, ServerId{number_of(user)}, 1, request, kNow);
    }
    store::LeaseRow hold(int id, UserId user, std::uint32_t count = 1) {
        auto granted = try_reserve(id, user, count).value();
        std::move(granted.claim).keep();
        return granted.row;
    }
    std::string refusal(UserId user, std::uint32_t count = 1) {
        auto answer = try_reserve(99, user, count);
        return answer ? "granted" : answer.error().message;
    }
    void end(int id) { leases->apply(*leases->release(LeaseId{id}, kNow, "stopped")); }

    config::GpuOptions options;
    std::optional<Inventory> inventory;
    std::optional<Leases> leases;
};

// gpu.privacy: counts, which is what a group gets that says nothing.
TEST_F(LeasesTest, ARefusalNamesNobodyElseWhereThePoolOnlyCounts) {
    auto counting = options_of(2);
    counting.privacy = "counts";
    auto half = counting;
    half.pools.emplace_back();
    half.pools[0].name = "shown";
    half.pools[0].devices = {"GPU-b"};
    half.pools[0].privacy = "open";
    start(half);
    hold(1, kAnn);
    hold(2, kBob);
    EXPECT_EQ(refusal(kEve), "Both GPUs are in use (bob). Try again when one of theirs ends.");
    EXPECT_EQ(
        refusal(kAnn),
        "Both GPUs are in use (ann, bob). Stop one of your servers, or try again when another one ends.");
    start(counting);
    hold(1, kAnn);
    EXPECT_EQ(
        refusal(kEve, 2),
        "You asked for 2 GPUs; only 1 of 2 can be given now. Ask for fewer. Try again when somebody's server "
        "ends.");
    hold(2, kBob);
    EXPECT_EQ(refusal(kEve), "Both GPUs are in use. Try again when somebody's server ends.");
}

TEST_F(LeasesTest, ARefusalNamesWhoHoldsWhatAndWhatToDo) {
    start(2);
    hold(1, kAnn);
    hold(2, kBob);
    EXPECT_EQ(refusal(kEve), "Both GPUs are in use (ann, bob). Try again when one of theirs ends.");
    EXPECT_EQ(
        refusal(kAnn),
        "Both GPUs are in use (ann, bob). Stop one of your servers, or try again when another one ends.");
    end(1);
    EXPECT_EQ(
        refusal(kEve, 2),
        "You asked for 2 GPUs; only 1 of 2 can be given now (bob). Ask for fewer. Try again when one of "
        "theirs ends.");
    EXPECT_EQ(refusal(kEve, 3), "You asked for 3 GPUs; there are only 2 GPUs. Ask for fewer.");
    EXPECT_EQ(refusal(kEve), "granted");
}

TEST_F(LeasesTest, AClaimThatIsNotKeptGivesBack) {
    start(1);
    {
        auto granted = try_reserve(1, kAnn);
        ASSERT_TRUE(granted);
        EXPECT_EQ(granted->row.state, LeaseState::reserved);
        EXPECT_TRUE(granted->row.exclusive);
        EXPECT_EQ(leases->all().size(), 1U);
        DeviceLease moved = std::move(granted->claim);
        EXPECT_FALSE(try_reserve(2, kBob));
    }
    EXPECT_TRUE(leases->all().empty());
    EXPECT_TRUE(try_reserve(2, kBob));
}

TEST_F(LeasesTest, TheStepsOfALife) {
    start(1);
    hold(1, kAnn);
    const auto bound = leases->bind(LeaseId{1}, "berth-ann");
    ASSERT_TRUE(bound);
    EXPECT_EQ(leases->find(LeaseId{1})->state, LeaseState::reserved);  // until it is durable
    leases->apply(*bound);
    EXPECT_EQ(leases->find(LeaseId{1})->container, "berth-ann");
    leases->apply(*leases->activate(LeaseId{1}));
    leases->apply(*leases->drain(LeaseId{1}));
    EXPECT_TRUE(leases->activate(LeaseId{1}).error().is(DeviceErrc::wrong_state));
    const auto released = leases->release(LeaseId{1}, kNow + 1h, "stopped");
    ASSERT_TRUE(released);
    EXPECT_EQ(released->released_at, kNow + 1h);
    EXPECT_FALSE(try_reserve(2, kBob));  // held until the end is durable
    leases->apply(*released);
    leases->apply(*bound);  // late: ignored
    EXPECT_EQ(leases->find(LeaseId{1}), nullptr);
    EXPECT_TRUE(leases->release(LeaseId{1}, kNow, "again").error().is(DeviceErrc::unknown_lease));
    EXPECT_TRUE(try_reserve(2, kBob));
}

TEST_F(LeasesTest, FindsTheNewestLeaseOfAServer) {
    start(3);
    hold(1, kAnn);
    hold(5, kAnn);
    hold(3, kBob);
    EXPECT_EQ(leases->of_server(ServerId{1})->id, LeaseId{5});
    EXPECT_EQ(leases->of_user(kAnn).size(), 2U);
    EXPECT_EQ(leases->on_device(DeviceUuid("GPU-a")).at(0)->id, LeaseId{1});
    end(5);
    EXPECT_EQ(leases->of_server(ServerId{1})->id, LeaseId{1});
    EXPECT_EQ(leases->of_server(ServerId{9}), nullptr);
}

TEST_F(LeasesTest, ARestartKnowsWhatWasHeld) {
    start(2);
    store::Snapshot snapshot;
    snapshot.leases.push_back(hold(1, kAnn));
    snapshot.leases.push_back(hold(2, kBob));
    start(2);
    EXPECT_TRUE(leases->restore(snapshot).empty());
    EXPECT_EQ(refusal(kEve), "Both GPUs are in use (ann, bob). Try again when one of theirs ends.");
    EXPECT_EQ(leases->of_server(ServerId{2})->id, LeaseId{2});
}

TEST_F(LeasesTest, ARestartGoesOverALoweredLimitAndSaysSo) {
    start(1, 2);
    store::Snapshot snapshot;
    snapshot.leases.push_back(hold(1, kAnn));
    snapshot.leases.push_back(hold(2, kBob));
    store::LeaseRow stranger = snapshot.leases[0];
    stranger.id = LeaseId{3};
    stranger.devices = {DeviceUuid("GPU-pulled-out")};
    snapshot.leases.push_back(stranger);
    start(1, 1);
    EXPECT_EQ(leases->restore(snapshot).size(), 2U);
    EXPECT_EQ(leases->all().size(), 3U);
    EXPECT_EQ(refusal(kEve), "The only GPU is in use (ann, bob). Try again when one of theirs ends.");
    leases->sync(*inventory);
    EXPECT_TRUE(leases->ledger().find(DeviceUuid("GPU-pulled-out")));
    end(3);
    leases->sync(*inventory);
    EXPECT_FALSE(leases->ledger().find(DeviceUuid("GPU-pulled-out")));
}

TEST_F(LeasesTest, SharesAreCountedByTheFactor) {
    start(1, 4);
    const auto row = hold(1, kAnn);
    EXPECT_FALSE(row.exclusive);
    store::Ids ids(100);
    const auto usage = leases->usage_of(row, ids, kNow);
    ASSERT_EQ(usage.size(), 1U);
    EXPECT_DOUBLE_EQ(usage[0].share, 0.25);
    EXPECT_EQ(usage[0].id, 100);
    EXPECT_EQ(leases->sharing(true), Sharing::exclusive);
    EXPECT_EQ(leases->sharing(false), Sharing::shared);
}

TEST_F(LeasesTest, AdoptsOnlyWhatIsFree) {
    start(2);
    hold(1, kAnn);
    const DeviceUuid a("GPU-a");
    const DeviceUuid b("GPU-b");
    EXPECT_FALSE(leases->adopt(LeaseId{2}, kBob, ServerId{2}, 1, {a}, kNow));
    EXPECT_FALSE(leases->adopt(LeaseId{2}, kBob, ServerId{2}, 1, {b, DeviceUuid("GPU-x")}, kNow));
    auto adopted = leases->adopt(LeaseId{2}, kBob, ServerId{2}, 1, {b}, kNow);
    ASSERT_TRUE(adopted);
    EXPECT_EQ(leases->on_device(b).size(), 1U);
}

}  // namespace
}  // namespace berth::gpu
