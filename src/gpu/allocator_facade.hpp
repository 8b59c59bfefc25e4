// The allocator of the seed (gpu.md 0 and E.11) over the real leases: populate with UUIDs, request one,
// release by UUID, list. Without other leases it answers as a plain array of counters would (I19): the least
// used device, the first of equals in the order of the list, an error when all are at the factor. Its leases
// are anonymous and have a time to live, since callers of the seed never release. Hub strand only; the caller
// commits what comes back.
//
// Until populate() is called (also after a restart) the list is every device the hub knows, in device order.
#pragma once

#include "async/awaitable.hpp"
#include "gpu/devices.hpp"
#include "gpu/leases.hpp"
#include "store/store.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace berth::gpu {

class AllocatorFacade {
public:
    AllocatorFacade(Inventory& inventory, Leases& leases, store::Ids& ids, std::chrono::seconds time_to_live);

    // Makes this the list; idempotent. Known devices keep their counters; those left out get no new façade
    // lease and are forgotten when their last lease ends. Returns what to commit: rows to upsert, devices to
    // delete.
    struct Populated {
        std::vector<store::DeviceRow> upserts;
        std::vector<DeviceUuid> removals;
    };
    Populated populate(const std::vector<DeviceUuid>& uuids);
    // Devices that were left out and whose last lease has ended meanwhile, as rows to delete. After
    // Leases::apply().
    std::vector<DeviceUuid> forget_left_out();

    // One device. The caller commits `row` (and usage), keeps the claim, then answers row.devices[0].
    // Errors: none_free when all are at the factor; no_devices when the list is empty.
    Result<Leases::Granted> request(Timestamp now);

    // Counter minus one, never below zero: the oldest façade lease on the device ends. Nothing to commit when
    // there is none. Error: unknown_device. The caller commits the row, then calls Leases::apply().
    Result<std::optional<store::LeaseRow>> release(const DeviceUuid& uuid, Timestamp now) const;

    // Leases whose time is over, as rows to commit and then Leases::apply().
    std::vector<store::LeaseRow> expire(Timestamp now) const;

    // Commits what release() or expire() ended, with `audit` when there is one, then applies it; devices that
    // were left out of the list and have no lease any more are forgotten. Error: StoreErrc::unavailable, and
    // the leases stay.
    awaitable<Result<void>> commit_ended(
        store::Store& store, std::vector<store::LeaseRow> ended, std::optional<store::AuditRow> audit);

    // Live leases on each device of the list, in its order; those left out but still leased follow.
    std::vector<std::pair<DeviceUuid, std::uint32_t>> list() const;

private:
    std::vector<DeviceUuid> members() const;

    Inventory& inventory_;
    Leases& leases_;
    store::Ids& ids_;
    std::chrono::seconds time_to_live_;
    std::optional<std::vector<DeviceUuid>> members_;
};

}  // namespace berth::gpu
