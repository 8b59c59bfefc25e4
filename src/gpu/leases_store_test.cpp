// Leases over a real SQLite file that is closed and opened again at random points: what the store then loads
// is what the leases said, and new Leases made of it say the same.
#include "async/run_to_end.hpp"
#include "base/random.hpp"
#include "gpu/allocator_facade.hpp"
#include "gpu/device_rows.hpp"
#include "gpu/leases.hpp"
#include "store/queries.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

namespace berth::gpu {
namespace {

using namespace std::chrono_literals;

constexpr int kOperations = 3000;
const Timestamp kNow{1'700'000'000s};

std::string text_of(const store::LeaseRow& row) {
    std::string text = std::to_string(number_of(row.id)) + " " + std::string(store::name_of(row.state));
    text += row.exclusive ? " exclusive " : " shared ";
    text += row.user ? "user " + std::to_string(number_of(*row.user)) : "anonymous";
    text += row.server ? " server " + std::to_string(number_of(*row.server)) : "";
    text += " generation " + std::to_string(row.generation) + " in '" + row.container + "'";
    text += " of '" + row.profile + "' for '" + row.project + "'";
    text += row.expires_at ? " for a time on" : " on";
    for (const auto& uuid : row.devices)
        text += " " + uuid.value;
    return text + "\n";
}

class LeasesStore : public testing::Test {
protected:
    LeasesStore()
        : dir_((std::filesystem::temp_directory_path() / ("berth-leases-" + random_hex(8))).string()) {
        options_.oversubscription = 3;
        for (const char* uuid : {"GPU-a", "GPU-b", "GPU-c", "GPU-d", "GPU-e"}) {
            config::GpuDeviceOptions device;
            device.uuid = uuid;
            options_.devices.push_back(std::move(device));
        }
    }
    ~LeasesStore() override {
        leases_.reset();
        store_.reset();
        std::filesystem::remove_all(dir_);
    }

    void open() {
        store_.reset();
        auto opened = store::Store::open(dir_);
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
        const auto snapshot = store_->load().value();
        ids_.emplace(snapshot.next_id);
        inventory_.emplace(options_, snapshot.devices);
        ASSERT_TRUE(run_to_end(write_changes(*store_, *inventory_)));
        leases_.emplace(options_, [](UserId) { return std::string("ann"); });
        leases_->sync(*inventory_);
        EXPECT_TRUE(leases_->restore(snapshot).empty());
    }
    std::string said() const {
        std::string text;
        for (const auto& [id, row] : leases_->all())
            text += text_of(row);
        return text;
    }
    std::string stored() {
        std::string text;
        const auto snapshot = store_->load().value();
        for (const auto& row : snapshot.leases)
            text += text_of(row);
        return text;
    }

    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
    LeaseId any_lease() {
        return std::next(leases_->all().begin(), below(static_cast<std::uint32_t>(leases_->all().size())))
            ->first;
    }
    void reserve();
    void advance();
    void end();

    std::mt19937_64 random_{7};
    std::string dir_;
    config::GpuOptions options_;
    std::unique_ptr<store::Store> store_;
    std::optional<store::Ids> ids_;
    std::optional<Inventory> inventory_;
    std::optional<Leases> leases_;
    int granted_ = 0;
    int not_committed_ = 0;
};

// One in sixteen commits is refused after the lease was written: nothing of it may stay. The others are not
// waited for one by one, so that many share a sync; the comparison finds one that was refused.
void LeasesStore::reserve() {
    const DeviceRequest request{.count = 1 + below(2), .sharing = leases_->sharing(below(3) == 0)};
    const auto id = ids_->next<LeaseId>();
    const LeaseTerms terms{.profile = "large", .project = below(2) == 0 ? "thesis" : ""};
    auto granted =
        below(3) == 0
            ? leases_->reserve_anonymous(id, request, kNow, kNow + 1h)
            : leases_->reserve(id, UserId{1 + below(3)}, ServerId{1 + below(9)}, 4, request, kNow, terms);
    if (!granted) return;
    const bool refused = below(16) == 0;
    if (!refused) {
        store_->commit_later([row = granted->row](store::Transaction& t) { store::insert(t, row); });
        ++granted_;
        std::move(granted->claim).keep();
        return;
    }
    store::Change twice = [row = granted->row](store::Transaction& t) {
        store::insert(t, row);
        store::insert(t, row);
    };
    ASSERT_FALSE(run_to_end(store_->commit(std::move(twice))));
    ++not_committed_;
}

void LeasesStore::advance() {
    if (leases_->all().empty()) return;
    const auto id = any_lease();
    const auto row = below(3) == 0   ? leases_->bind(id, "berth-" + std::to_string(below(100)))
                     : below(2) == 0 ? leases_->activate(id)
                                     : leases_->drain(id);
    if (!row) return;
    store_->commit_later([row = *row](store::Transaction& t) { store::update(t, row); });
    leases_->apply(*row);
}

void LeasesStore::end() {
    if (leases_->all().empty()) return;
    const auto row = leases_->release(any_lease(), kNow + 1min, "stopped");
    ASSERT_TRUE(row);
    store_->commit_later([row = *row](store::Transaction& t) { store::end_lease(t, row); });
    leases_->apply(*row);
}

TEST_F(LeasesStore, WhatItLoadsIsWhatTheLeasesSaid) {
    open();
    int reopened = 0;
    for (int operation = 0; operation < kOperations; ++operation) {
        SCOPED_TRACE("operation " + std::to_string(operation));
        switch (below(6)) {
            case 0:
            case 1:
                reserve();
                break;
            case 2:
                end();
                break;
            default:
                advance();
        }
        if (below(40) != 0) continue;
        const auto before = said();
        ASSERT_EQ(stored(), before);
        open();
        ASSERT_EQ(said(), before);
        ++reopened;
    }
    EXPECT_GT(granted_, 300);
    EXPECT_GT(not_committed_, 20);
    EXPECT_GT(reopened, 30);
}

TEST_F(LeasesStore, AClockThatIsSetMovesTheEndsOfTheFacadesLeases) {
    open();
    AllocatorFacade facade(*inventory_, *leases_, *ids_, 60s);
    auto granted = facade.request(kNow);
    ASSERT_TRUE(granted);
    store::Change change = [row = granted->row](store::Transaction& t) { store::insert(t, row); };
    ASSERT_TRUE(run_to_end(store_->commit(std::move(change))));
    std::move(granted->claim).keep();
    ASSERT_TRUE(run_to_end(facade.move_ends(*store_, 10h)));
    EXPECT_TRUE(facade.expire(kNow + 10h).empty()) << "the clock says ten hours more, and no time has passed";
    open();
    ASSERT_EQ(leases_->all().size(), 1U);
    EXPECT_EQ(leases_->all().begin()->second.expires_at, kNow + 10h + 60s);
}

TEST_F(LeasesStore, TheFacadesListIsThatOfTheHubBefore) {
    using Uuids = std::vector<DeviceUuid>;
    auto restored = [this] {
        open();
        AllocatorFacade facade(*inventory_, *leases_, *ids_, 60s);
        EXPECT_TRUE(facade.restore(*store_));
        Uuids listed;
        for (const auto& [uuid, count] : facade.list())
            listed.push_back(uuid);
        return listed;
    };
    auto populate = [this](const Uuids& uuids) {
        AllocatorFacade facade(*inventory_, *leases_, *ids_, 60s);
        auto populated = facade.populate(uuids);
        store::AuditRow audit;
        audit.at = kNow;
        EXPECT_TRUE(run_to_end(facade.commit_populated(*store_, std::move(populated), audit)));
    };
    EXPECT_EQ(restored().size(), 5U) << "every device, while nobody said anything else";
    const Uuids some{DeviceUuid("GPU-new"), DeviceUuid("GPU-b"), DeviceUuid("GPU-a")};
    populate(some);
    EXPECT_EQ(restored(), some) << "in its order";
    options_.devices.erase(options_.devices.begin());  // GPU-a
    EXPECT_EQ(restored(), some) << "and at its word";
    populate({});
    EXPECT_EQ(restored(), Uuids{});
    ASSERT_TRUE(store_->put_setting("facade_list", "[1]"));
    AllocatorFacade facade(*inventory_, *leases_, *ids_, 60s);
    const auto refused = facade.restore(*store_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail, "[1]");
}

}  // namespace
}  // namespace berth::gpu
