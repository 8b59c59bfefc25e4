// The working copy of the leases, over the Ledger. Hub strand only; pure apart from the rows it returns.
//
// Memory and store go like this (gpu.md E.2, I11). reserve() books the devices in memory and returns a row
// and a claim; the hub commits the row and then keep()s the claim (dropped before that, the claim gives the
// devices back). Every later step returns the changed row and changes nothing; the hub commits it, together
// with what other rooms changed, and then apply()s it. So memory never shows what the store could forget, and
// devices are free for others only when the end of their lease is durable. Operations for one server are
// serialised by its lifecycle in hub/.
#pragma once

#include "base/ids.hpp"
#include "base/units.hpp"
#include "gpu/devices.hpp"
#include "gpu/ledger.hpp"
#include "store/rows.hpp"
#include "store/store.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace berth::gpu {

class Leases;

// The devices promised to one server; destroying it gives them back (in memory, no I/O). A moved-from or kept
// claim owns nothing. The Leases must outlive it.
class DeviceLease {
public:
    DeviceLease() noexcept = default;
    DeviceLease(Leases& leases, LeaseId id) noexcept : leases_(&leases), id_(id) {}
    DeviceLease(DeviceLease&& other) noexcept
        : leases_(std::exchange(other.leases_, nullptr)), id_(other.id_) {}
    DeviceLease& operator=(DeviceLease&& other) noexcept;
    DeviceLease(const DeviceLease&) = delete;
    DeviceLease& operator=(const DeviceLease&) = delete;
    ~DeviceLease() { give_back(); }

    // From now on the store's row holds the devices.
    LeaseId keep() && noexcept;
    LeaseId id() const noexcept { return id_; }

private:
    void give_back() noexcept;

    Leases* leases_ = nullptr;
    LeaseId id_{};
};

// What is noted in the row of a lease beside whose devices they are.
struct LeaseTerms {
    std::optional<Timestamp> expires_at{};
    std::string profile{};
    std::string project{};
};

class Leases {
public:
    // Names people see in refusals. Called while a refusal is made.
    using NameOfUser = std::function<std::string(UserId)>;

    Leases(config::GpuOptions options, NameOfUser name_of_user);

    // Takes over which devices there are. Called at start before restore(), and after every change of the
    // inventory.
    void sync(const Inventory& inventory);
    // What profile and configuration mean together: exclusive when the factor is 1 or the profile says so.
    Sharing sharing(bool profile_exclusive) const;

    // Live leases of the store at start. Over limits is allowed (nobody's notebook ends) and reported: one
    // sentence a problem, for the log.
    std::vector<std::string> restore(const store::Snapshot& snapshot);

    struct Granted {
        store::LeaseRow row;  // reserved; to be inserted
        DeviceLease claim;
    };
    // Errors: those of Ledger::acquire; the messages say what to do and, as far as the pool's privacy goes,
    // who holds what.
    Result<Granted> reserve(
        LeaseId id,
        UserId user,
        ServerId server,
        std::int64_t generation,
        const DeviceRequest& request,
        Timestamp now,
        LeaseTerms terms = {});
    // For the façade: no user, no server, a time to live.
    Result<Granted> reserve_anonymous(
        LeaseId id, const DeviceRequest& request, Timestamp now, Timestamp expires_at);
    // Books exactly these devices although the store did not know: a container found without a live lease,
    // on whose devices there is room (gpu.md E.9). Errors: none_free, unknown_device, already_exists.
    Result<Granted> adopt(
        LeaseId id,
        UserId user,
        ServerId server,
        std::int64_t generation,
        std::vector<DeviceUuid> devices,
        Timestamp now,
        LeaseTerms terms = {});

    // Books the devices of something that is being removed, over any limit, for as long as the claim lives.
    // In memory only: the next hub finds it again. Unknown devices are left out.
    DeviceLease book(
        LeaseId id,
        std::optional<UserId> user,
        ServerId server,
        std::int64_t generation,
        const std::vector<DeviceUuid>& devices,
        Timestamp now);

    // The steps; each returns the row to commit and then to apply(). Errors: unknown_lease, wrong_state.
    Result<store::LeaseRow> bind(LeaseId id, std::string container) const;  // from reserved, bound
    Result<store::LeaseRow> activate(LeaseId id) const;   // from reserved, bound, active (no change)
    Result<store::LeaseRow> drain(LeaseId id) const;      // from any live state
    Result<store::LeaseRow> mark_lost(LeaseId id) const;  // from any live state; still holds devices
    Result<store::LeaseRow> release(
        LeaseId id, Timestamp now, std::string reason) const;  // from any live state
    // The row is durable. A released one gives its devices back; one whose lease has ended is ignored.
    void apply(const store::LeaseRow& row);

    // Usage intervals to insert in the commit of activate(); store::end_lease() goes into that of release().
    std::vector<store::UsageIntervalRow> usage_of(
        const store::LeaseRow& row, store::Ids& ids, Timestamp begin) const;

    const store::LeaseRow* find(LeaseId id) const;
    // A live lease whose claim was kept; one that is not may never reach the store.
    bool is_durable(LeaseId id) const { return rows_.contains(id) && !claims_.contains(id); }
    const std::map<LeaseId, store::LeaseRow>& all() const { return rows_; }       // live ones, oldest first
    std::vector<const store::LeaseRow*> on_device(const DeviceUuid& uuid) const;  // oldest first
    const store::LeaseRow* of_server(ServerId server) const;                      // its newest live lease
    std::vector<const store::LeaseRow*> of_user(UserId user) const;
    std::vector<LeaseId> expired(Timestamp now) const;  // façade leases whose time is over
    const Ledger& ledger() const { return ledger_; }    // counts and what is free, for board and forms

    // Told of every lease that was made, stepped on or ended (in memory; find() says which), and when the
    // devices may have changed. Called in the middle of the change: it must only take note. One watcher.
    struct Watcher {
        std::function<void(LeaseId)> lease{};
        std::function<void()> devices{};
    };
    void watch(Watcher watcher) { watcher_ = std::move(watcher); }

private:
    friend class DeviceLease;
    void forget(LeaseId id) noexcept;  // the claim was dropped
    Result<Granted> grant(store::LeaseRow row, const DeviceRequest& request);
    Result<store::LeaseRow> step(LeaseId id, store::LeaseState to) const;
    void insert(const store::LeaseRow& row);

    struct Holders {
        std::size_t devices = 0;         // that the request ranges over
        std::vector<std::string> names;  // of who is on them, once each, as far as `asker` may see them
    };
    Holders holders(const DeviceRequest& request, std::optional<UserId> asker) const;
    Error explained(Error refusal, const DeviceRequest& request, std::optional<UserId> asker) const;

    void tell(LeaseId id) const {
        if (watcher_.lease) watcher_.lease(id);
    }

    config::GpuOptions options_;
    std::set<DeviceUuid> open_;  // whose pool shows its holders
    NameOfUser name_of_user_;
    Watcher watcher_;
    Ledger ledger_;
    std::map<LeaseId, store::LeaseRow> rows_;
    std::set<LeaseId> claims_;  // those of rows_ whose claim was neither kept nor dropped yet
    std::set<std::pair<ServerId, LeaseId>> by_server_;
    std::set<std::pair<UserId, LeaseId>> by_user_;
    std::unordered_map<DeviceUuid, std::set<LeaseId>> by_device_;
};

}  // namespace berth::gpu
