#include "gpu/scheduler_state.hpp"

#include <algorithm>
#include <limits>

namespace berth::gpu {
namespace {

double seconds(Duration time) {
    return std::chrono::duration<double>(time).count();
}

std::uint32_t link_between(const void* devices, std::uint32_t a, std::uint32_t b) {
    const auto& list = *static_cast<const std::vector<ScheduledDevice>*>(devices);
    return b < list[a].links.size() ? list[a].links[b] : 0;
}

bool matches(const Wish& wish, const ScheduledDevice& device) {
    if (!wish.among.empty()) {
        if (std::find(wish.among.begin(), wish.among.end(), device.uuid) == wish.among.end()) return false;
    } else if (device.by_name_only) {
        return false;
    }
    return device.pool == wish.pool && (wish.model.empty() || wish.model == device.model) &&
           device.memory >= wish.min_memory;
}

}  // namespace

const std::string& Asker::group() const {
    static const std::string kNone;
    return groups.empty() ? kNone : groups.front();
}

bool Reservation::belongs_to(const Asker& asker) const {
    if (user) return *user == asker.user;
    if (!project.empty()) return project == asker.project;
    return !group.empty() && std::find(asker.groups.begin(), asker.groups.end(), group) != asker.groups.end();
}

std::string_view name_of(ReclaimReason reason) {
    switch (reason) {
        case ReclaimReason::idle:
            return "idle";
        case ReclaimReason::preempted:
            return "preempted";
        case ReclaimReason::over:
            return "over";
        case ReclaimReason::not_started:
            return "not_started";
        case ReclaimReason::cancelled:
            return "cancelled";
    }
    return "unknown";
}

void SchedulerState::set_devices(std::vector<ScheduledDevice> list) {
    std::map<DeviceUuid, DeviceUse> known;
    for (std::size_t at = 0; at < devices.size(); ++at)
        known.emplace(devices[at].uuid, use[at]);
    if (list.size() > kMaxDevices) list.resize(kMaxDevices);
    devices = std::move(list);
    use.assign(devices.size(), {});
    for (std::size_t at = 0; at < devices.size(); ++at) {
        if (const auto was = known.find(devices[at].uuid); was != known.end()) use[at] = was->second;
        use[at].leases = use[at].exclusive_leases = 0;
    }
    shapes_.clear();
    places_.clear();
    for (std::uint32_t at = 0; at < devices.size(); ++at)
        places_.emplace(devices[at].uuid, at);
    cut_.reset();
    for (const auto& device : devices) {
        for (std::size_t at = 0; device.parent && at < devices.size(); ++at) {
            if (devices[at].uuid == *device.parent) cut_.set(at);
        }
    }
    for (auto& [id, lease] : holdings) {
        resolve_places(lease);
        book(lease, 1);
    }
}

void SchedulerState::set_reservations(std::vector<Reservation> list) {
    std::sort(list.begin(), list.end(), [](const Reservation& a, const Reservation& b) {
        return std::pair(a.begin, a.id) < std::pair(b.begin, b.id);
    });
    reservations = std::move(list);
}

std::shared_ptr<const Shape> SchedulerState::shape_of(const Wish& wish) const {
    for (const auto& shape : shapes_) {
        if (shape->wish == wish) return shape;
    }
    if (shapes_.size() >= kShapesKept) shapes_.erase(shapes_.begin());
    return shapes_.emplace_back(std::make_shared<const Shape>(resolve(wish)));
}

Shape SchedulerState::resolve(const Wish& wish) const {
    Shape shape{.wish = wish, .matching = {}, .usable = {}, .model = wish.model};
    bool first = true;
    for (std::size_t at = 0; at < devices.size(); ++at) {
        if (!matches(wish, devices[at])) continue;
        shape.matching.set(at);
        if (unusable_reason(at).empty()) shape.usable.set(at);
        if (first && shape.model.empty()) shape.model = devices[at].model;
        if (shape.model != devices[at].model) shape.model.clear();
        first = false;
    }
    return shape;
}

std::string SchedulerState::unusable_reason(std::size_t at) const {
    const ScheduledDevice& device = devices[at];
    if (!device.eligible) return device.unavailable.empty() ? "cannot be given out now" : device.unavailable;
    if (device.external > options.external_limit) return "used from outside Berth";
    return cut_.test(at) ? "cut into MIG instances" : "";
}

bool SchedulerState::has_room(std::size_t at, Sharing sharing) const {
    const DeviceUse& on = use[at];
    if (const auto& parent = devices[at].parent) {
        for (std::size_t other = 0; other < devices.size(); ++other) {
            if (devices[other].uuid == *parent && use[other].leases > 0) return false;
        }
    }
    if (sharing == Sharing::exclusive) return on.leases == 0;
    return on.exclusive_leases == 0 && on.leases < devices[at].capacity;
}

void SchedulerState::resolve_places(Holding& lease) const {
    lease.at.clear();
    for (const auto& uuid : lease.devices) {
        if (const auto known = places_.find(uuid); known != places_.end()) lease.at.push_back(known->second);
    }
    std::sort(lease.at.begin(), lease.at.end());
}

void SchedulerState::book(const Holding& lease, int sign) {
    for (const std::uint32_t at : lease.at) {
        use[at].leases += static_cast<std::uint32_t>(sign);
        if (lease.sharing == Sharing::exclusive) use[at].exclusive_leases += static_cast<std::uint32_t>(sign);
    }
}

const std::string& SchedulerState::pool_of(const Holding& lease) const {
    static const std::string kDefault;
    return lease.at.empty() ? kDefault : devices[lease.at.front()].pool;
}

std::vector<std::string> SchedulerState::models_of(const Holding& lease) const {
    std::vector<std::string> models;
    models.reserve(lease.devices.size());
    for (const std::uint32_t at : lease.at)
        models.push_back(devices[at].model);
    models.resize(lease.devices.size());
    return models;
}

Holding& SchedulerState::add(Holding lease) {
    resolve_places(lease);
    book(lease, 1);
    for (const std::uint32_t at : lease.at)
        use[at].last_grant = lease.begin;
    const auto capacity = [&](std::uint32_t at) { return std::max(devices[at].capacity, 1U); };
    if (lease.sharing == Sharing::shared && !lease.at.empty()) lease.share = 1.0 / capacity(lease.at.front());
    lease.counted_pool = pool_of(lease);
    lease.counted_models = models_of(lease);
    quotas.add(lease);
    const LeaseId id = lease.id;
    return holdings.insert_or_assign(holdings.end(), id, std::move(lease))->second;
}

bool SchedulerState::remove(LeaseId id, Timestamp now, bool counted) {
    const auto found = holdings.find(id);
    if (found == holdings.end()) return false;
    Holding& lease = found->second;
    book(lease, -1);
    quotas.remove(lease);
    const Duration lasted = std::max(now - lease.begin, Duration{});
    const auto devices_held = static_cast<double>(lease.devices.size());
    settle(lease, counted ? seconds(lasted) * devices_held * lease.share : 0, now);
    if (counted) {
        quotas.ended(lease, now);
        if (lease.deadline) {
            durations.record(lease.asker.user, lease.profile, *lease.deadline - lease.begin, lasted);
        }
        for (const std::uint32_t at : lease.at) {
            use[at].last_release = now;
            use[at].last_user = lease.asker.user;
        }
    }
    holdings.erase(found);
    return true;
}

void SchedulerState::add_past(Holding lease, Timestamp end) {
    resolve_places(lease);
    lease.counted_pool = pool_of(lease);
    quotas.ended(lease, end);
}

void SchedulerState::settle(Holding& lease, double gpu_seconds, Timestamp at) {
    const auto& charged = lease.charged;
    if (charged.gpu_seconds != 0) {
        shares.charge(lease.asker.user, lease.asker.group(), -charged.gpu_seconds, charged.at);
    }
    if (gpu_seconds != 0) shares.charge(lease.asker.user, lease.asker.group(), gpu_seconds, at);
    lease.charged = {.gpu_seconds = gpu_seconds, .at = at};
}

void SchedulerState::charge_entry(Holding& lease) {
    const Duration limit = options.fair_share.penalty_limit;
    const Duration length = lease.deadline ? std::min(*lease.deadline - lease.begin, limit) : limit;
    settle(lease, seconds(length) * static_cast<double>(lease.devices.size()) * lease.share, lease.begin);
}

std::vector<const Holding*> SchedulerState::accrue(Timestamp now) {
    std::vector<const Holding*> charged;
    for (auto& [id, lease] : holdings) {
        const double used =
            seconds(now - lease.begin) * static_cast<double>(lease.devices.size()) * lease.share;
        if (used <= lease.charged.gpu_seconds) continue;
        settle(lease, used, now);
        charged.push_back(&lease);
    }
    return charged;
}

DeviceSet SchedulerState::within_model_rules(
    const Asker& asker, const Wish& wish, DeviceSet candidates) const {
    std::map<std::string, std::uint32_t> left;
    for (std::size_t at = 0; at < devices.size(); ++at) {
        if (!candidates.test(at)) continue;
        const std::string& model = devices[at].model;
        const auto [known, unknown] = left.try_emplace(model);
        if (unknown) known->second = quotas.devices_left(asker, wish.pool, model);
        if (known->second == 0) {
            candidates.reset(at);
        } else {
            --known->second;
        }
    }
    return candidates;
}

std::uint32_t SchedulerState::least_allocated(const DeviceSet& candidates) const {
    std::pair best{std::numeric_limits<std::uint32_t>::max(), std::numeric_limits<std::uint32_t>::max()};
    for (std::uint32_t at = 0; at < devices.size(); ++at) {
        if (candidates.test(at)) best = std::min(best, std::pair{use[at].leases + devices[at].external, at});
    }
    return best.second;
}

std::vector<std::uint32_t> SchedulerState::choose(
    const Wish& wish, UserId asker, const DeviceSet& candidates, Timestamp now) {
    const auto named = options.policy_of_pool.find(wish.pool);
    Choice choice{
        .policy = named == options.policy_of_pool.end() ? options.policy : named->second,
        .count = wish.count,
        .now = now};
    if (choice.policy == Policy::round_robin) choice.cursor = cursors[wish.pool];
    const auto is_linked = [](const ScheduledDevice& device) { return !device.links.empty(); };
    if (choice.policy == Policy::topology && std::any_of(devices.begin(), devices.end(), is_linked)) {
        choice.link = link_between;
        choice.links = &devices;
    }
    // What is asked for most: the same answer without a look at anything else.
    if (choice.policy == Policy::least_allocated && wish.count == 1 && candidates.any()) {
        return {least_allocated(candidates)};
    }
    std::map<std::uint32_t, std::uint32_t> on_board;
    if (choice.policy == Policy::spread) {
        for (std::size_t at = 0; at < devices.size(); ++at)
            on_board[devices[at].board] += use[at].leases;
    }
    std::vector<Candidate> list;
    list.reserve(candidates.count());
    for (std::uint32_t at = 0; at < devices.size(); ++at) {
        if (!candidates.test(at)) continue;
        const DeviceUse& on = use[at];
        list.push_back(
            {.order = at,
             .leases = on.leases + devices[at].external,
             .neighbours = on_board.empty() ? 0 : on_board[devices[at].board],
             .load_percent = devices[at].load_percent,
             .memory_percent = devices[at].memory_percent,
             .last_grant = on.last_grant,
             .last_release = on.last_release,
             .last_used_by_asker = on.last_user == asker});
    }
    auto chosen = gpu::choose(choice, list);
    if (choice.policy == Policy::round_robin) {
        auto& cursor = cursors[wish.pool];
        cursor = cursor_after(cursor, chosen);
    }
    return chosen;
}

}  // namespace berth::gpu
