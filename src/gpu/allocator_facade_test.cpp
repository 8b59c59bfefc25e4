// I19 of gpu.md E.13: the façade answers as the seed's allocator would, which is an array of counters.
#include "gpu/allocator_facade.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

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
        if (*ended) leases.apply(**ended);
        return true;
    }

    config::GpuOptions options;
    store::Ids ids{1};
    Inventory inventory{options, {}};
    Leases leases{options, [](UserId) { return std::string("ann"); }};
    AllocatorFacade facade{inventory, leases, ids, 3600s};
};

// The seed, in twenty lines.
struct ArrayOfCounters {
    std::vector<std::pair<DeviceUuid, std::uint32_t>> counters;
    std::uint32_t factor;

    std::optional<DeviceUuid> request() {
        if (counters.empty()) return std::nullopt;
        auto least = counters.begin();
        for (auto each = counters.begin(); each != counters.end(); ++each) {
            if (each->second < least->second) least = each;
        }
        if (least->second >= factor) return std::nullopt;
        ++least->second;
        return least->first;
    }
    bool release(const DeviceUuid& uuid) {
        for (auto& [known, count] : counters) {
            if (known != uuid) continue;
            count -= count > 0 ? 1 : 0;
            return true;
        }
        return false;
    }
};

TEST(AllocatorFacadeProperty, AnswersAsAnArrayOfCounters) {
    std::mt19937_64 random(42);
    for (int round = 0; round < 1000; ++round) {
        const auto factor = static_cast<std::uint32_t>(1 + random() % 3);
        const auto devices = 1 + random() % 8;
        Allocator allocator(factor);
        ArrayOfCounters oracle{.counters = {}, .factor = factor};
        Uuids uuids;
        for (std::uint64_t i = 0; i < devices; ++i)
            uuids.push_back(uuid_of(random() % 20));
        for (const auto& uuid : uuids) {
            const auto known =
                std::find_if(oracle.counters.begin(), oracle.counters.end(), [&](const auto& each) {
                    return each.first == uuid;
                });
            if (known == oracle.counters.end()) oracle.counters.emplace_back(uuid, 0);
        }
        (void)allocator.facade.populate(uuids);
        for (int step = 0; step < 100; ++step) {
            SCOPED_TRACE("round " + std::to_string(round) + " step " + std::to_string(step));
            if (random() % 10 == 0) (void)allocator.facade.populate(uuids);  // idempotent: counters stay
            if (random() % 5 < 3) {
                ASSERT_EQ(allocator.request(), oracle.request());
            } else {
                const auto uuid = uuid_of(random() % 20);
                ASSERT_EQ(allocator.release(uuid), oracle.release(uuid));
            }
            ASSERT_EQ(allocator.facade.list(), oracle.counters);
        }
    }
}

TEST(AllocatorFacade, RefusesBeforeAnythingIsKnown) {
    Allocator allocator(1);
    const auto refused = allocator.facade.request(kNow);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(DeviceErrc::no_devices));
}

TEST(AllocatorFacade, GivesBackWhatNobodyReleased) {
    Allocator allocator(1);
    (void)allocator.facade.populate({uuid_of(1)});
    ASSERT_TRUE(allocator.request());
    EXPECT_FALSE(allocator.request());
    EXPECT_TRUE(allocator.facade.expire(kNow + 3599s).empty());
    const auto over = allocator.facade.expire(kNow + 3600s);
    ASSERT_EQ(over.size(), 1U);
    EXPECT_EQ(over[0].state, store::LeaseState::released);
    EXPECT_FALSE(allocator.request());  // not before the end is durable
    allocator.leases.apply(over[0]);
    EXPECT_TRUE(allocator.request());
}

TEST(AllocatorFacade, ADroppedClaimLeavesNoTrace) {
    Allocator allocator(1);
    (void)allocator.facade.populate({uuid_of(1)});
    {
        auto uncommitted = allocator.facade.request(kNow);
    }
    EXPECT_EQ(allocator.facade.list()[0].second, 0U);
    EXPECT_TRUE(allocator.request());
}

TEST(AllocatorFacade, ReleasesNobodysNotebook) {
    Allocator allocator(2);
    (void)allocator.facade.populate({uuid_of(1)});
    const DeviceRequest request{.count = 1, .sharing = Sharing::shared, .among = {uuid_of(1)}};
    auto notebook = allocator.leases.reserve(LeaseId{77}, UserId{1}, ServerId{2}, 1, request, kNow);
    ASSERT_TRUE(notebook);
    EXPECT_TRUE(allocator.release(uuid_of(1)));
    EXPECT_EQ(allocator.facade.list()[0].second, 1U);
    EXPECT_TRUE(allocator.leases.find(LeaseId{77}));
}

TEST(AllocatorFacade, ALeftOutDeviceStaysWhileLeased) {
    Allocator allocator(1);
    const auto first = allocator.facade.populate({uuid_of(1), uuid_of(2)});
    EXPECT_EQ(first.upserts.size(), 2U);
    ASSERT_EQ(allocator.request(), uuid_of(1));
    const auto second = allocator.facade.populate({uuid_of(3)});
    EXPECT_EQ(second.removals, Uuids{uuid_of(2)});
    EXPECT_EQ(allocator.request(), uuid_of(3));
    EXPECT_FALSE(allocator.request());  // GPU-1 drains
    EXPECT_EQ(allocator.facade.list().size(), 2U);
    ASSERT_TRUE(allocator.release(uuid_of(1)));
    EXPECT_EQ(allocator.facade.forget_left_out(), Uuids{uuid_of(1)});
    EXPECT_FALSE(allocator.release(uuid_of(1)));
}

TEST(AllocatorFacade, ItsOwnDevicesAreGivenToNoNotebook) {
    Allocator allocator(1);
    (void)allocator.facade.populate({uuid_of(1)});
    EXPECT_FALSE(allocator.leases.reserve(LeaseId{77}, UserId{1}, ServerId{2}, 1, {}, kNow));
}

}  // namespace
}  // namespace berth::gpu
