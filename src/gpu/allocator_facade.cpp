#include "gpu/allocator_facade.hpp"

#include "store/queries.hpp"

#include <algorithm>

namespace berth::gpu {
namespace {

bool contains(const std::vector<DeviceUuid>& list, const DeviceUuid& uuid) {
    return std::find(list.begin(), list.end(), uuid) != list.end();
}

bool is_facade_lease(const store::LeaseRow& row) {
    return !row.user && !row.server;
}

}  // namespace

AllocatorFacade::AllocatorFacade(
    Inventory& inventory, Leases& leases, store::Ids& ids, std::chrono::seconds time_to_live)
    : inventory_(inventory), leases_(leases), ids_(ids), time_to_live_(time_to_live) {}

std::vector<DeviceUuid> AllocatorFacade::members() const {
    if (members_) return *members_;
    std::vector<DeviceUuid> all;
    for (const auto& device : inventory_.devices())
        all.push_back(device.row.uuid);
    return all;
}

AllocatorFacade::Populated AllocatorFacade::populate(const std::vector<DeviceUuid>& uuids) {
    std::vector<DeviceUuid> distinct;
    for (const auto& uuid : uuids) {
        if (!uuid.empty() && !contains(distinct, uuid)) distinct.push_back(uuid);
    }
    members_ = std::move(distinct);
    inventory_.add_facade_devices(*members_);
    leases_.sync(inventory_);
    auto removals = forget_left_out();
    return {.upserts = inventory_.take_changed_rows(), .removals = std::move(removals)};
}

std::vector<DeviceUuid> AllocatorFacade::forget_left_out() {
    std::vector<DeviceUuid> gone;
    if (!members_) return gone;
    for (const auto& device : inventory_.devices()) {
        const auto& uuid = device.row.uuid;
        if (device.facade_only && !contains(*members_, uuid) && leases_.on_device(uuid).empty())
            gone.push_back(uuid);
    }
    for (const auto& uuid : gone)
        inventory_.drop_facade_device(uuid);
    if (!gone.empty()) leases_.sync(inventory_);
    return gone;
}

Result<Leases::Granted> AllocatorFacade::request(Timestamp now) {
    DeviceRequest one{.count = 1, .sharing = leases_.sharing(false), .among = members()};
    if (one.among.empty()) {
        return Error{
            DeviceErrc::no_devices, "The allocator has no GPUs yet: populate it with their UUIDs first."};
    }
    return leases_.reserve_anonymous(ids_.next<LeaseId>(), one, now, now + time_to_live_);
}

Result<std::optional<store::LeaseRow>> AllocatorFacade::release(const DeviceUuid& uuid, Timestamp now) const {
    for (const auto* row : leases_.on_device(uuid)) {
        if (!is_facade_lease(*row)) continue;
        BERTH_TRY(store::LeaseRow ended, leases_.release(row->id, now, "released through the allocator API"));
        return std::optional(std::move(ended));
    }
    if (!contains(members(), uuid)) {
        return Error{DeviceErrc::unknown_device, "The allocator knows no GPU " + uuid.value + "."};
    }
    return std::optional<store::LeaseRow>();
}

std::vector<store::LeaseRow> AllocatorFacade::expire(Timestamp now) const {
    std::vector<store::LeaseRow> rows;
    for (const LeaseId id : leases_.expired(now)) {
        if (auto row = leases_.release(id, now, "time to live over")) rows.push_back(*std::move(row));
    }
    return rows;
}

awaitable<Result<void>> AllocatorFacade::commit_ended(
    store::Store& store, std::vector<store::LeaseRow> ended, std::optional<store::AuditRow> audit) {
    store::Change change = [ended, audit](store::Transaction& t) {
        for (const auto& row : ended)
            store::end_lease(t, row);
        if (audit) store::insert(t, *audit);
    };
    BERTH_CO_CHECK(co_await store.commit(std::move(change)));
    for (const auto& row : ended)
        leases_.apply(row);
    auto left_out = forget_left_out();
    if (!left_out.empty()) {
        store.commit_later([left_out](store::Transaction& t) {
            for (const auto& uuid : left_out)
                store::remove_device(t, uuid);
        });
    }
    co_return Result<void>{};
}

std::vector<std::pair<DeviceUuid, std::uint32_t>> AllocatorFacade::list() const {
    std::vector<std::pair<DeviceUuid, std::uint32_t>> counts;
    const auto listed = members();
    for (const auto& uuid : listed) {
        const auto view = leases_.ledger().find(uuid);
        counts.emplace_back(uuid, view ? view->leases : 0);
    }
    for (const auto& view : leases_.ledger().devices()) {
        if (contains(listed, view.device.uuid)) continue;
        const auto holders = leases_.on_device(view.device.uuid);
        const bool any =
            std::any_of(holders.begin(), holders.end(), [](auto* row) { return is_facade_lease(*row); });
        if (any) counts.emplace_back(view.device.uuid, view.leases);
    }
    return counts;
}

}  // namespace berth::gpu
