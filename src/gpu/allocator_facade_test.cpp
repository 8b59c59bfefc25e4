// What the façade promises beside I19 of gpu.md E.13 (leases_property_test.cpp): time to live, left-out
// devices, and that nothing shows before it is durable.
#include "gpu/allocator_facade.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

using namespace std::chrono_literals;
using Uuids = std::vector<DeviceUuid>;

const Timestamp kNow{1'700'000'000s};

DeviceUuid uuid_of(std::uint64_t number) {
    DeviceUuid uuid("GPU-");
    uuid.value += std::to_string(number);
    return uuid;
}

struct Allocator {
    explicit Allocator(std::uint32_t factor) : options(make_options(factor)) {}

    static config::GpuOptions make_options(std::uint32_t factor) {
        config::GpuOptions options;
        options.oversubscription = factor;
        return options;
    }
    // As the API does it: commit (here: nothing), keep, answer.
    std::optional<DeviceUuid> request(Timestamp now = kNow) {
        auto granted = facade.request(now);
        if (!granted) return std::nullopt;
        std::move(granted->claim).keep();
        return granted->row.devices.at(0);
    }
    bool release(const DeviceUuid& uuid) {
        auto ended = facade.release(uuid, kNow);
        if (!ended) return false;
        facade.apply(*ended);
        return true;
    }
    RowChanges populate(const Uuids& uuids) {
        const auto populated = facade.populate(uuids);
        facade.apply(populated);
        return populated.rows;
    }

    config::GpuOptions options;
    store::Ids ids{1};
    Inventory inventory{options, {}};
    Leases leases{options, [](UserId) { return std::string("ann"); }};
    AllocatorFacade facade{inventory, leases, ids, 3600s};
};

TEST(AllocatorFacade, RefusesBeforeAnythingIsKnown) {
    Allocator allocator(1);
    const auto refused = allocator.facade.request(kNow);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(DeviceErrc::no_devices));
}

TEST(AllocatorFacade, GivesBackWhatNobodyReleased) {
    Allocator allocator(1);
    allocator.populate({uuid_of(1)});
    ASSERT_TRUE(allocator.request());
    EXPECT_FALSE(allocator.request());
    EXPECT_TRUE(allocator.facade.expire(kNow + 3599s).empty());
    const auto over = allocator.facade.expire(kNow + 3600s);
    ASSERT_EQ(over.rows().size(), 1U);
    EXPECT_EQ(over.rows()[0].state, store::LeaseState::released);
    EXPECT_FALSE(allocator.request());  // not before the end is durable
    allocator.facade.apply(over);
    EXPECT_TRUE(allocator.request());
}

TEST(AllocatorFacade, ADroppedClaimLeavesNoTrace) {
    Allocator allocator(1);
    allocator.populate({uuid_of(1)});
    {
        auto uncommitted = allocator.facade.request(kNow);
    }
    EXPECT_EQ(allocator.facade.list()[0].second, 0U);
    EXPECT_TRUE(allocator.request());
}

TEST(AllocatorFacade, TwoReleasesAtOnceAreTwo) {
    Allocator allocator(3);
    allocator.populate({uuid_of(1)});
    ASSERT_TRUE(allocator.request());
    ASSERT_TRUE(allocator.request());
    auto first = allocator.facade.release(uuid_of(1), kNow);
    auto second = allocator.facade.release(uuid_of(1), kNow);
    ASSERT_TRUE(first && second);
    ASSERT_EQ(first->rows().size(), 1U);
    ASSERT_EQ(second->rows().size(), 1U);
    EXPECT_NE(first->rows()[0].id, second->rows()[0].id);
    const auto third = allocator.facade.release(uuid_of(1), kNow);
    ASSERT_TRUE(third);
    EXPECT_TRUE(third->empty());
    EXPECT_TRUE(allocator.facade.expire(kNow + 2h).empty());
    const LeaseId failed = first->rows()[0].id;
    first = EndingLeases();  // its commit failed: the lease may end another time
    allocator.facade.apply(*second);
    second = EndingLeases();
    EXPECT_EQ(allocator.facade.list()[0].second, 1U);
    EXPECT_EQ(allocator.facade.expire(kNow + 2h).rows().at(0).id, failed);
}

TEST(AllocatorFacade, NobodyReleasesAGrantThatIsStillBeingCommitted) {
    Allocator allocator(1);
    allocator.populate({uuid_of(1)});
    auto granted = allocator.facade.request(kNow);
    ASSERT_TRUE(granted);
    EXPECT_TRUE(allocator.facade.release(uuid_of(1), kNow)->empty());
    EXPECT_TRUE(allocator.facade.expire(kNow + 2h).empty());
    std::move(granted->claim).keep();
    EXPECT_FALSE(allocator.facade.release(uuid_of(1), kNow)->empty());
}

TEST(AllocatorFacade, APopulateShowsOnlyOnceItIsDurable) {
    Allocator allocator(1);
    allocator.populate({uuid_of(1)});
    const auto before = allocator.facade.list();
    const auto planned = allocator.facade.populate({uuid_of(2)});
    EXPECT_EQ(planned.rows.upserts.at(0).uuid, uuid_of(2));
    EXPECT_EQ(planned.rows.removals, Uuids{uuid_of(1)});
    EXPECT_EQ(allocator.facade.list(), before);
    EXPECT_FALSE(allocator.inventory.find(uuid_of(2)));
    ASSERT_EQ(allocator.request(), uuid_of(1));  // leased while its removal is being committed
    allocator.facade.apply(planned);
    EXPECT_EQ(allocator.facade.list().size(), 2U);
    const auto again = allocator.inventory.take_changes();
    ASSERT_EQ(again.upserts.size(), 1U);  // so its row is written again
    EXPECT_EQ(again.upserts[0].uuid, uuid_of(1));
    EXPECT_TRUE(again.removals.empty());
}

TEST(AllocatorFacade, TwoPopulatesAtOnceLeaveTheStoreAsMemoryIs) {
    Allocator allocator(1);
    allocator.populate({uuid_of(1)});
    const auto first = allocator.facade.populate({uuid_of(2)});   // deletes the row of 1
    const auto second = allocator.facade.populate({uuid_of(1)});  // knows 1 and writes no row of it
    EXPECT_TRUE(second.rows.upserts.empty());
    allocator.facade.apply(first);
    EXPECT_EQ(allocator.inventory.take_changes().removals, Uuids{uuid_of(1)});
    allocator.facade.apply(second);
    const auto again = allocator.inventory.take_changes();
    ASSERT_EQ(again.upserts.size(), 1U);
    EXPECT_EQ(again.upserts[0].uuid, uuid_of(1));
    EXPECT_EQ(again.removals, Uuids{uuid_of(2)});
}

TEST(AllocatorFacade, ReleasesNobodysNotebook) {
    Allocator allocator(2);
    allocator.populate({uuid_of(1)});
    const DeviceRequest request{.count = 1, .sharing = Sharing::shared, .among = {uuid_of(1)}};
    auto notebook = allocator.leases.reserve(LeaseId{77}, UserId{1}, ServerId{2}, 1, request, kNow);
    ASSERT_TRUE(notebook);
    EXPECT_TRUE(allocator.release(uuid_of(1)));
    EXPECT_EQ(allocator.facade.list()[0].second, 1U);
    EXPECT_TRUE(allocator.leases.find(LeaseId{77}));
}

TEST(AllocatorFacade, ALeftOutDeviceStaysWhileLeased) {
    Allocator allocator(1);
    const auto first = allocator.populate({uuid_of(1), uuid_of(2)});
    EXPECT_EQ(first.upserts.size(), 2U);
    ASSERT_EQ(allocator.request(), uuid_of(1));
    const auto second = allocator.populate({uuid_of(3)});
    EXPECT_EQ(second.removals, Uuids{uuid_of(2)});
    EXPECT_EQ(allocator.request(), uuid_of(3));
    EXPECT_FALSE(allocator.request());  // GPU-1 drains
    EXPECT_EQ(allocator.facade.list().size(), 2U);
    EXPECT_TRUE(allocator.inventory.take_changes().empty());
    ASSERT_TRUE(allocator.release(uuid_of(1)));
    EXPECT_EQ(allocator.inventory.take_changes().removals, Uuids{uuid_of(1)});
    EXPECT_FALSE(allocator.release(uuid_of(1)));
}

TEST(AllocatorFacade, ItsOwnDevicesAreGivenToNoNotebook) {
    Allocator allocator(1);
    allocator.populate({uuid_of(1)});
    EXPECT_FALSE(allocator.leases.reserve(LeaseId{77}, UserId{1}, ServerId{2}, 1, {}, kNow));
}

}  // namespace
}  // namespace berth::gpu
