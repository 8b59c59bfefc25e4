// The allocator of the seed (gpu.md 0 and E.11) over the real leases: populate with UUIDs, request one,
// release by UUID, list. Without other leases it answers as a plain array of counters would (I19): the least
// used device, the first of equals in the order of the list, an error when all are at the factor. Its leases
// are anonymous and have a time to live, since callers of the seed never release. Hub strand only; the caller
// commits what comes back.
//
// Until populate() is called for the first time the list is every device the hub knows, in device order. The
// list is kept in the store's settings: one text, always replaced as a whole.
#pragma once

#include "async/awaitable.hpp"
#include "gpu/devices.hpp"
#include "gpu/leases.hpp"
#include "store/store.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace berth::gpu {

class AllocatorFacade;

// Façade leases whose end is to be committed. While this lives no other release and no expiry picks them, so
// that two releases at once are two; it is destroyed when they were applied or the commit failed. The façade
// must outlive it.
class EndingLeases {
public:
    EndingLeases() noexcept = default;
    EndingLeases(AllocatorFacade& facade, std::vector<store::LeaseRow> rows);
    EndingLeases(EndingLeases&& other) noexcept
        : facade_(std::exchange(other.facade_, nullptr)), rows_(std::move(other.rows_)) {}
    EndingLeases& operator=(EndingLeases&& other) noexcept;
    EndingLeases(const EndingLeases&) = delete;
    EndingLeases& operator=(const EndingLeases&) = delete;
    ~EndingLeases() { let_go(); }

    bool empty() const { return rows_.empty(); }
    const std::vector<store::LeaseRow>& rows() const { return rows_; }

private:
    void let_go() noexcept;

    AllocatorFacade* facade_ = nullptr;
    std::vector<store::LeaseRow> rows_;
};

class AllocatorFacade {
public:
    AllocatorFacade(Inventory& inventory, Leases& leases, store::Ids& ids, std::chrono::seconds time_to_live);

    // The list that a hub before us committed, once the leases are restored; then Inventory::take_changes()
    // is to be committed. Blocks. Error: StoreErrc::unavailable, also for a list that cannot be read.
    Result<void> restore(store::Store& store);

    // Makes this the list; idempotent. Known devices keep their counters; those left out get no new façade
    // lease and are forgotten when their last lease ends. populate() changes nothing that anybody sees; the
    // rows are committed, then apply() makes it so, and then Inventory::take_changes() is committed.
    struct Populated {
        std::vector<DeviceUuid> members;
        RowChanges rows;
    };
    Populated populate(const std::vector<DeviceUuid>& uuids);
    void apply(const Populated& durable);
    // Both, with `audit`. Error: StoreErrc::unavailable; then the list is what it was.
    awaitable<Result<void>> commit_populated(store::Store& store, Populated populated, store::AuditRow audit);
    // One device. The caller commits `row` (and usage), keeps the claim, then answers row.devices[0].
    // `promised`: devices that it leaves alone, for somebody with a better claim waits for them or has
    // reserved them; empty while nobody does, and then the answers are those of plain counters (I19).
    // `length`: in place of the time to live, if shorter. Errors: none_free when all are at the factor or
    // promised; no_devices when the list is empty.
    Result<Leases::Granted> request(
        Timestamp now,
        const std::vector<DeviceUuid>& promised,
        std::optional<std::chrono::seconds> length = std::nullopt);
    Result<Leases::Granted> request(Timestamp now) { return request(now, {}); }
    std::chrono::seconds time_to_live() const { return time_to_live_; }

    // Counter minus one, never below zero: the oldest façade lease on the device ends. Empty when there is
    // none, or none that is not ending already. Error: unknown_device. commit_ended() does the rest.
    Result<EndingLeases> release(const DeviceUuid& uuid, Timestamp now);

    // Leases whose time is over; commit_ended() does the rest.
    EndingLeases expire(Timestamp now);

    // Their ends are durable: the devices are free, and those that were left out of the list and have no
    // lease any more are forgotten (Inventory::take_changes() deletes their rows).
    void apply(const EndingLeases& durable);
    // Commits what release() or expire() ended, with `audit` when there is one, then applies it. Error:
    // StoreErrc::unavailable, and the leases stay.
    awaitable<Result<void>> commit_ended(
        store::Store& store, EndingLeases ended, std::optional<store::AuditRow> audit);

    // The wall clock was set by so much: the ends of its leases move with it. Error: StoreErrc::unavailable.
    awaitable<Result<void>> move_ends(store::Store& store, std::chrono::microseconds by);

    // Live leases on each device of the list, in its order; those left out but still leased follow.
    std::vector<std::pair<DeviceUuid, std::uint32_t>> list() const;

private:
    friend class EndingLeases;
    std::vector<DeviceUuid> members() const;
    void set_members(const std::vector<DeviceUuid>& uuids);
    bool may_end(const store::LeaseRow& row) const;
    std::vector<DeviceUuid> left_out(const std::vector<DeviceUuid>& members) const;
    void forget_left_out();

    Inventory& inventory_;
    Leases& leases_;
    store::Ids& ids_;
    std::chrono::seconds time_to_live_;
    std::optional<std::vector<DeviceUuid>> members_;
    std::set<LeaseId> ending_;
};

}  // namespace berth::gpu
