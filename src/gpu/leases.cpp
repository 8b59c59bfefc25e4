#include "gpu/leases.hpp"

#include "base/assert.hpp"
#include "gpu/pools.hpp"

#include <algorithm>
#include <limits>

namespace berth::gpu {
namespace {

using store::LeaseRow;
using store::LeaseState;

Error unknown_lease() {
    return {DeviceErrc::unknown_lease, "This GPU lease has ended."};
}

LeaseRow new_row(LeaseId id, Timestamp now) {
    LeaseRow row;
    row.id = id;
    row.created = now;
    return row;
}

LeaseRow new_row(LeaseId id, UserId user, ServerId server, std::int64_t generation, Timestamp now) {
    LeaseRow row = new_row(id, now);
    row.user = user;
    row.server = server;
    row.generation = generation;
    return row;
}

void put(LeaseTerms terms, LeaseRow& row) {
    row.expires_at = terms.expires_at;
    row.profile = std::move(terms.profile);
    row.project = std::move(terms.project);
}

Sharing sharing_of(const LeaseRow& row) {
    return row.exclusive ? Sharing::exclusive : Sharing::shared;
}

}  // namespace

DeviceLease& DeviceLease::operator=(DeviceLease&& other) noexcept {
    if (this != &other) {
        give_back();
        leases_ = std::exchange(other.leases_, nullptr);
        id_ = other.id_;
    }
    return *this;
}

LeaseId DeviceLease::keep() && noexcept {
    if (leases_) std::exchange(leases_, nullptr)->claims_.erase(id_);
    return id_;
}

void DeviceLease::give_back() noexcept {
    if (leases_) std::exchange(leases_, nullptr)->forget(id_);
}

Leases::Leases(config::GpuOptions options, NameOfUser name_of_user)
    : options_(std::move(options)), name_of_user_(std::move(name_of_user)) {}

void Leases::sync(const Inventory& inventory) {
    std::unordered_map<DeviceUuid, std::uint32_t> external;
    for (const auto& use : inventory.external()) {
        for (const auto& uuid : use.devices)
            ++external[uuid];
    }
    open_.clear();
    for (const DeviceStatus& device : inventory.devices()) {
        if (is_open(options_, pool_of(options_, device.row))) open_.insert(device.row.uuid);
        ledger_.put(
            {.uuid = device.row.uuid,
             .capacity = static_cast<std::uint32_t>(device.row.capacity),
             .eligible = device.eligible(),
             .by_name_only = device.facade_only,
             .external = external[device.row.uuid]});
    }
    for (const auto& view : ledger_.devices()) {
        if (!inventory.find(view.device.uuid)) ledger_.remove(view.device.uuid);
    }
    if (watcher_.devices) watcher_.devices();
}

Sharing Leases::sharing(bool profile_exclusive) const {
    return profile_exclusive || options_.oversubscription == 1 ? Sharing::exclusive : Sharing::shared;
}

std::vector<std::string> Leases::restore(const store::Snapshot& snapshot) {
    std::vector<std::string> problems;
    for (const LeaseRow& row : snapshot.leases) {
        for (const auto& uuid : row.devices) {
            if (ledger_.find(uuid)) continue;
            problems.push_back("GPU " + uuid.value + " is leased but is in neither configuration nor store");
            ledger_.put({.uuid = uuid, .eligible = false});
        }
        if (!ledger_.restore(row.id, sharing_of(row), row.devices)) {
            problems.push_back("lease " + std::to_string(number_of(row.id)) + " is in the store twice");
            continue;
        }
        insert(row);
    }
    for (const auto& view : ledger_.devices()) {
        if (!view.over_limit()) continue;
        problems.push_back(
            "GPU " + view.device.uuid.value + " has " + std::to_string(view.leases) +
            " leases, more than its factor allows; it gets no new one until some have ended");
    }
    return problems;
}

Result<Leases::Granted> Leases::reserve(
    LeaseId id,
    UserId user,
    ServerId server,
    std::int64_t generation,
    const DeviceRequest& request,
    Timestamp now,
    LeaseTerms terms) {
    LeaseRow row = new_row(id, user, server, generation, now);
    put(std::move(terms), row);
    return grant(std::move(row), request);
}

Result<Leases::Granted> Leases::reserve_anonymous(
    LeaseId id, const DeviceRequest& request, Timestamp now, Timestamp expires_at) {
    LeaseRow row = new_row(id, now);
    row.expires_at = expires_at;
    row.state = LeaseState::active;  // nothing is to be created or verified for it
    return grant(std::move(row), request);
}

Result<Leases::Granted> Leases::adopt(
    LeaseId id,
    UserId user,
    ServerId server,
    std::int64_t generation,
    std::vector<DeviceUuid> devices,
    Timestamp now,
    LeaseTerms terms) {
    for (const auto& uuid : devices) {
        const auto view = ledger_.find(uuid);
        const bool room =
            !view || view->leases == 0 || (!view->exclusively_held && view->leases < view->device.capacity);
        if (!room) {
            return Error{DeviceErrc::none_free, "GPU " + uuid.value + " is held by another lease."};
        }
    }
    LeaseRow row = new_row(id, user, server, generation, now);
    put(std::move(terms), row);
    row.exclusive = options_.oversubscription == 1;
    BERTH_CHECK(ledger_.restore(id, sharing_of(row), devices));
    row.devices = std::move(devices);
    insert(row);
    claims_.insert(id);
    return Granted{.row = std::move(row), .claim = DeviceLease(*this, id)};
}

DeviceLease Leases::book(
    LeaseId id,
    std::optional<UserId> user,
    ServerId server,
    std::int64_t generation,
    const std::vector<DeviceUuid>& devices,
    Timestamp now) {
    LeaseRow row = new_row(id, now);
    row.user = user;
    row.server = server;
    row.generation = generation;
    row.exclusive = options_.oversubscription == 1;
    row.state = LeaseState::draining;
    for (const auto& uuid : devices) {
        if (ledger_.find(uuid)) row.devices.push_back(uuid);
    }
    if (row.devices.empty() || !ledger_.restore(id, sharing_of(row), row.devices)) return {};
    insert(row);
    claims_.insert(id);
    return {*this, id};
}

Result<Leases::Granted> Leases::grant(LeaseRow row, const DeviceRequest& request) {
    auto devices = ledger_.acquire(row.id, request);
    if (!devices) return explained(devices.error(), request, row.user);
    row.exclusive = request.sharing == Sharing::exclusive;
    row.devices = *std::move(devices);
    insert(row);
    const LeaseId id = row.id;
    claims_.insert(id);
    return Granted{.row = std::move(row), .claim = DeviceLease(*this, id)};
}

Result<LeaseRow> Leases::step(LeaseId id, LeaseState to) const {
    const LeaseRow* row = find(id);
    if (!row) return unknown_lease();
    LeaseRow changed = *row;
    changed.state = to;
    return changed;
}

Result<LeaseRow> Leases::bind(LeaseId id, std::string container) const {
    BERTH_TRY(LeaseRow row, step(id, LeaseState::bound));
    const LeaseState now = rows_.at(id).state;
    if (now != LeaseState::reserved && now != LeaseState::bound) {
        return Error{DeviceErrc::wrong_state, "This GPU lease already runs or is ending."};
    }
    row.container = std::move(container);
    return row;
}

Result<LeaseRow> Leases::activate(LeaseId id) const {
    BERTH_TRY(LeaseRow row, step(id, LeaseState::active));
    const LeaseState now = rows_.at(id).state;
    if (now == LeaseState::draining || now == LeaseState::lost) {
        return Error{DeviceErrc::wrong_state, "This GPU lease is ending."};
    }
    return row;
}

Result<LeaseRow> Leases::drain(LeaseId id) const {
    return step(id, LeaseState::draining);
}

Result<LeaseRow> Leases::mark_lost(LeaseId id) const {
    return step(id, LeaseState::lost);
}

Result<LeaseRow> Leases::release(LeaseId id, Timestamp now, std::string reason) const {
    BERTH_TRY(LeaseRow row, step(id, LeaseState::released));
    row.released_at = now;
    row.end_reason = std::move(reason);
    return row;
}

void Leases::apply(const LeaseRow& row) {
    const auto at = rows_.find(row.id);
    if (at == rows_.end()) return;
    if (row.state == LeaseState::released) {
        forget(row.id);
    } else {
        at->second = row;
        tell(row.id);
    }
}

std::vector<store::UsageIntervalRow> Leases::usage_of(
    const LeaseRow& row, store::Ids& ids, Timestamp begin) const {
    std::vector<store::UsageIntervalRow> intervals;
    for (const auto& uuid : row.devices) {
        const auto view = ledger_.find(uuid);
        const std::uint32_t among = row.exclusive || !view ? 1 : std::max(view->device.capacity, 1U);
        store::UsageIntervalRow interval;
        interval.id = number_of(ids.next<LeaseId>());
        interval.lease = row.id;
        interval.device = uuid;
        interval.user = row.user;
        interval.share = 1.0 / among;
        interval.begin = begin;
        intervals.push_back(std::move(interval));
    }
    return intervals;
}

void Leases::insert(const LeaseRow& row) {
    rows_.insert_or_assign(row.id, row);
    if (row.server) by_server_.emplace(*row.server, row.id);
    if (row.user) by_user_.emplace(*row.user, row.id);
    for (const auto& uuid : row.devices)
        by_device_[uuid].insert(row.id);
    tell(row.id);
}

void Leases::forget(LeaseId id) noexcept {
    ledger_.release(id);
    claims_.erase(id);
    const auto at = rows_.find(id);
    if (at == rows_.end()) return;
    const LeaseRow& row = at->second;
    if (row.server) by_server_.erase({*row.server, id});
    if (row.user) by_user_.erase({*row.user, id});
    for (const auto& uuid : row.devices) {
        const auto holders = by_device_.find(uuid);
        if (holders == by_device_.end()) continue;
        holders->second.erase(id);
        if (holders->second.empty()) by_device_.erase(holders);
    }
    rows_.erase(at);
    tell(id);
}

const LeaseRow* Leases::find(LeaseId id) const {
    const auto at = rows_.find(id);
    return at == rows_.end() ? nullptr : &at->second;
}

std::vector<const LeaseRow*> Leases::on_device(const DeviceUuid& uuid) const {
    std::vector<const LeaseRow*> holders;
    const auto at = by_device_.find(uuid);
    if (at == by_device_.end()) return holders;
    for (const LeaseId id : at->second)
        holders.push_back(find(id));
    return holders;
}

const LeaseRow* Leases::of_server(ServerId server) const {
    const auto after = by_server_.upper_bound({server, LeaseId{std::numeric_limits<std::int64_t>::max()}});
    if (after == by_server_.begin()) return nullptr;
    const auto newest = std::prev(after);
    return newest->first == server ? find(newest->second) : nullptr;
}

std::vector<const LeaseRow*> Leases::of_user(UserId user) const {
    std::vector<const LeaseRow*> held;
    for (auto at = by_user_.lower_bound({user, LeaseId{std::numeric_limits<std::int64_t>::min()}});
         at != by_user_.end() && at->first == user;
         ++at) {
        held.push_back(find(at->second));
    }
    return held;
}

std::vector<LeaseId> Leases::expired(Timestamp now) const {
    std::vector<LeaseId> over;
    for (const auto& [id, row] : rows_) {
        if (row.expires_at && *row.expires_at <= now) over.push_back(id);
    }
    return over;
}

}  // namespace berth::gpu
