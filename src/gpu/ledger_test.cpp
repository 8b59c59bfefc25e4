#include "gpu/ledger.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

const DeviceUuid kA("GPU-a");
const DeviceUuid kB("GPU-b");
const DeviceUuid kC("GPU-c");
using Uuids = std::vector<DeviceUuid>;

Ledger ledger_of(std::uint32_t capacity) {
    Ledger ledger;
    for (const auto& uuid : {kA, kB, kC})
        ledger.put({.uuid = uuid, .capacity = capacity});
    return ledger;
}

DeviceErrc refusal_of(const Result<Uuids>& answer) {
    return answer ? DeviceErrc{} : static_cast<DeviceErrc>(answer.error().code.value());
}

TEST(Ledger, GivesTheLeastUsedAndTheFirstOfEquals) {
    auto ledger = ledger_of(2);
    const DeviceRequest one{.sharing = Sharing::shared};
    EXPECT_EQ(*ledger.acquire(LeaseId{1}, one), Uuids{kA});
    EXPECT_EQ(*ledger.acquire(LeaseId{2}, one), Uuids{kB});
    EXPECT_TRUE(ledger.release(LeaseId{1}));
    EXPECT_EQ(*ledger.acquire(LeaseId{3}, one), Uuids{kA});
    EXPECT_EQ(*ledger.acquire(LeaseId{4}, one), Uuids{kC});
    EXPECT_EQ(*ledger.acquire(LeaseId{5}, one), Uuids{kA});
}

TEST(Ledger, AnExclusiveLeaseIsAloneWhateverTheFactor) {
    auto ledger = ledger_of(4);
    EXPECT_EQ(*ledger.acquire(LeaseId{1}, {.count = 2}), (Uuids{kA, kB}));
    EXPECT_EQ(*ledger.acquire(LeaseId{2}, {.sharing = Sharing::shared}), Uuids{kC});
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{3}, {})), DeviceErrc::none_free);
    EXPECT_EQ(*ledger.acquire(LeaseId{4}, {.sharing = Sharing::shared}), Uuids{kC});
}

TEST(Ledger, NamesTheRuleThatRefused) {
    auto ledger = ledger_of(1);
    EXPECT_EQ(refusal_of(Ledger().acquire(LeaseId{1}, {})), DeviceErrc::no_devices);
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{1}, {.count = 0})), DeviceErrc::nothing_asked);
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{1}, {.count = 4})), DeviceErrc::more_than_exist);
    ASSERT_TRUE(ledger.acquire(LeaseId{1}, {.count = 2}));
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{1}, {})), DeviceErrc::already_exists);
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{2}, {.count = 2})), DeviceErrc::not_enough_free);
    ASSERT_TRUE(ledger.acquire(LeaseId{2}, {}));
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{3}, {})), DeviceErrc::none_free);
    auto shareable = ledger_of(2);
    ASSERT_TRUE(shareable.acquire(LeaseId{1}, {.count = 3}));
    EXPECT_EQ(
        refusal_of(shareable.acquire(LeaseId{2}, {.sharing = Sharing::shared})), DeviceErrc::not_shareable);
}

TEST(Ledger, ARefusedRequestHoldsNothing) {
    auto ledger = ledger_of(1);
    ASSERT_TRUE(ledger.acquire(LeaseId{1}, {.count = 2}));
    ASSERT_FALSE(ledger.acquire(LeaseId{2}, {.count = 2}));
    EXPECT_FALSE(ledger.holds(LeaseId{2}));
    EXPECT_EQ(ledger.free_devices(Sharing::exclusive), 1U);
}

TEST(Ledger, AmongChoosesInItsOwnOrder) {
    auto ledger = ledger_of(1);
    ledger.put({.uuid = DeviceUuid("GPU-x"), .by_name_only = true});
    const DeviceRequest named{.among = {kC, DeviceUuid("GPU-x"), DeviceUuid("GPU-unknown"), kA}};
    EXPECT_EQ(*ledger.acquire(LeaseId{1}, named), Uuids{kC});
    EXPECT_EQ(*ledger.acquire(LeaseId{2}, named), Uuids{DeviceUuid("GPU-x")});
    EXPECT_EQ(*ledger.acquire(LeaseId{3}, named), Uuids{kA});
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{4}, named)), DeviceErrc::none_free);
    EXPECT_EQ(*ledger.acquire(LeaseId{5}, {}), Uuids{kB});
    EXPECT_EQ(refusal_of(ledger.acquire(LeaseId{6}, {.count = 4})), DeviceErrc::more_than_exist);
}

TEST(Ledger, RestoreGoesOverTheLimitAndSaysSo) {
    auto ledger = ledger_of(1);
    ASSERT_TRUE(ledger.restore(LeaseId{1}, Sharing::exclusive, {kB}));
    ASSERT_TRUE(ledger.restore(LeaseId{2}, Sharing::shared, {kB}));
    EXPECT_TRUE(ledger.find(kB)->over_limit());
    EXPECT_FALSE(ledger.restore(LeaseId{3}, Sharing::shared, {DeviceUuid("GPU-unknown")}));
    EXPECT_TRUE(ledger.release(LeaseId{1}));
    EXPECT_FALSE(ledger.find(kB)->exclusively_held);
    EXPECT_FALSE(ledger.find(kB)->over_limit());
}

TEST(Ledger, ALeasedDeviceIsNotRemovedButGetsNoNewLease) {
    auto ledger = ledger_of(3);
    ASSERT_TRUE(ledger.acquire(LeaseId{1}, {.count = 1, .sharing = Sharing::shared, .among = {kB}}));
    EXPECT_FALSE(ledger.remove(kB));
    EXPECT_TRUE(ledger.remove(kA));
    EXPECT_FALSE(ledger.remove(kA));
    EXPECT_EQ(*ledger.acquire(LeaseId{2}, {}), Uuids{kC});
    EXPECT_TRUE(ledger.release(LeaseId{1}));  // its slot number moved down with the removal
    EXPECT_EQ(ledger.find(kB)->leases, 0U);
    EXPECT_TRUE(ledger.remove(kB));
}

TEST(Ledger, ChoosesByThePolicyItWasGiven) {
    auto ledger = ledger_of(3);
    const DeviceRequest one{.sharing = Sharing::shared};
    ledger.set_policy(Policy::pack);
    for (std::int64_t id = 1; id <= 3; ++id)
        EXPECT_EQ(*ledger.acquire(LeaseId{id}, one), Uuids{kA});
    EXPECT_EQ(*ledger.acquire(LeaseId{4}, one), Uuids{kB});
    ledger.set_policy(Policy::round_robin);
    EXPECT_EQ(*ledger.acquire(LeaseId{5}, one), Uuids{kB});  // a is full
    EXPECT_EQ(*ledger.acquire(LeaseId{6}, one), Uuids{kC});
    EXPECT_EQ(*ledger.acquire(LeaseId{7}, one), Uuids{kB});
    EXPECT_TRUE(ledger.release(LeaseId{6}));
    EXPECT_TRUE(ledger.release(LeaseId{1}));
    ledger.set_policy(Policy::lru);
    EXPECT_EQ(*ledger.acquire(LeaseId{8}, one), Uuids{kC});  // b is full, a was released later
}

}  // namespace
}  // namespace berth::gpu
