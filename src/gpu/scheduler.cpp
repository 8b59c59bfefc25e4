#include "gpu/scheduler.hpp"

#include "gpu/preemption.hpp"

#include <algorithm>
#include <unordered_map>

namespace berth::gpu {
namespace {

std::string reclaim_text(ReclaimReason reason) {
    switch (reason) {
        case ReclaimReason::idle:
            return "Your GPU has been idle and somebody is waiting for it.";
        case ReclaimReason::preempted:
            return "Somebody with a better claim is waiting for your GPU.";
        case ReclaimReason::over:
            return "The time of your GPU is over.";
        case ReclaimReason::not_started:
            return "The server did not start in time; its GPU goes back.";
        case ReclaimReason::cancelled:
            return "The request for this GPU was cancelled.";
    }
    return "";
}

LeaseId provisional(EntryId id) {
    return LeaseId{static_cast<std::int64_t>(id)};
}

}  // namespace

// What one walk through the queue has found so far.
struct Scheduler::Pass {
    Plan plan;
    std::vector<const Entry*> blocked{};    // within quota, but nothing is free for them
    std::vector<const Entry*> borrowers{};  // beyond a quota that lets them borrow
    // For a shape, the shortest time that did not fit: the plan only gets fuller during a walk. Not kept
    // where reservations make it a question of who asks.
    std::unordered_map<const Shape*, Duration> too_long{};

    bool known_not_to_fit(const Place& place) const {
        const auto known = too_long.find(place.shape);
        return known != too_long.end() && place.length >= known->second;
    }
    void does_not_fit(const Place& place, bool whoever_asks) {
        if (whoever_asks) too_long[place.shape] = place.length;
    }
};

Scheduler::Scheduler(SchedulerOptions options) {
    state_.shares = FairShare(options.fair_share);
    state_.options = std::move(options);
}

std::vector<Action> Scheduler::apply(const Event& event, Timestamp now) {
    restore(event, now);
    decide(now);
    return std::exchange(actions_, {});
}

void Scheduler::restore(const Event& event, Timestamp now) {
    std::visit([&](const auto& each) { change(each, now); }, event);
}

void Scheduler::restore_usage(UserId user, const std::string& group, double gpu_seconds, Timestamp at) {
    state_.shares.charge(user, group, gpu_seconds, at);
    queue_.shares_changed();
}

void Scheduler::restore_last_use(const DeviceUuid& device, std::optional<UserId> user, Timestamp released) {
    for (std::size_t at = 0; at < state_.devices.size(); ++at) {
        DeviceUse& use = state_.use[at];
        if (state_.devices[at].uuid != device || (use.last_release && *use.last_release > released)) continue;
        use.last_release = released;
        use.last_user = user;
    }
}

void Scheduler::set_weight(UserId user, double weight) {
    state_.shares.set_weight(user, weight);
    queue_.shares_changed();
}

void Scheduler::set_weight(const std::string& group, double weight) {
    state_.shares.set_weight(group, weight);
    queue_.shares_changed();
}

void Scheduler::change(const Enqueue& event, Timestamp) {
    QueueRequest request = event.request;
    if (!request.length) request.length = state_.options.default_length;
    if (const std::string refusal = refusal_of_entry(request); !refusal.empty()) {
        actions_.push_back(RejectAction{.entry = request.id, .text = refusal});
        return;
    }
    const EntryId id = request.id;
    if (!queue_.add(std::move(request), state_)) return;
    const QueueRequest& kept = queue_.find(id)->request;
    state_.quotas.entry_added(kept.asker, kept.wish.pool);
    if (!kept.wait) impatient_.push_back(id);
}

void Scheduler::change(const Cancel& event, Timestamp) {
    Entry* entry = queue_.find(event.entry);
    if (!entry) return;
    if (entry->granting) {
        entry->cancelled = true;  // what the commit brings decides
        return;
    }
    drop(event.entry);
}

void Scheduler::drop(EntryId id) {
    const Entry* entry = queue_.find(id);
    if (!entry) return;
    state_.quotas.entry_removed(entry->request.asker, entry->request.wish.pool);
    queue_.remove(id);
}

void Scheduler::reject(EntryId id, std::string text) {
    actions_.push_back(RejectAction{.entry = id, .text = std::move(text)});
    drop(id);
}

void Scheduler::change(const GrantConfirmed& event, Timestamp now) {
    const Entry* entry = queue_.find(event.entry);
    const auto held = state_.holdings.find(provisional(event.entry));
    if (!entry || !entry->granting || held == state_.holdings.end()) return;
    const bool cancelled = entry->cancelled;
    state_.served[entry->request.asker.user] = now;
    queue_.share_changed(entry->request.asker);
    Holding lease = held->second;
    state_.quotas.remove(lease);
    state_.holdings.erase(held);
    lease.id = event.lease;
    lease.deadline = event.deadline;
    state_.quotas.add(lease);
    Holding& kept = state_.holdings.insert_or_assign(event.lease, std::move(lease)).first->second;
    drop(event.entry);
    if (cancelled) reclaim(kept, ReclaimReason::cancelled, std::nullopt, now);
}

void Scheduler::change(const GrantFailed& event, Timestamp now) {
    Entry* entry = queue_.find(event.entry);
    if (!entry || !entry->granting) return;
    state_.remove(provisional(event.entry), now, false);
    queue_.set_granting(*entry, false);
    queue_.share_changed(entry->request.asker);
    if (!event.again || entry->cancelled) drop(event.entry);
}

void Scheduler::change(const LeaseKnown& event, Timestamp) {
    if (state_.holdings.contains(event.lease.id)) return;
    Holding& lease = state_.add(event.lease);
    Timestamp& served = state_.served[event.lease.asker.user];
    served = std::max(served, event.lease.begin);
    state_.charge_entry(lease);
    queue_.share_changed(event.lease.asker);
}

void Scheduler::change(const LeaseStarted& event, Timestamp) {
    if (const auto held = state_.holdings.find(event.lease); held != state_.holdings.end()) {
        held->second.started = true;
    }
}

void Scheduler::change(const LeaseEnded& event, Timestamp now) {
    const auto held = state_.holdings.find(event.lease);
    if (held == state_.holdings.end()) return;
    queue_.share_changed(held->second.asker);
    state_.remove(event.lease, now, true);
}

void Scheduler::change(const LeaseExtended& event, Timestamp now) {
    const auto held = state_.holdings.find(event.lease);
    if (held == state_.holdings.end()) return;
    Holding& lease = held->second;
    const auto over = [now](const std::optional<Timestamp>& end) { return end && *end <= now; };
    if (over(lease.deadline) && !over(event.deadline)) lease.ending.reset();
    lease.deadline = event.deadline;
}

void Scheduler::change(const IdleMarked& event, Timestamp) {
    if (const auto held = state_.holdings.find(event.lease); held != state_.holdings.end()) {
        held->second.reclaimable = event.reclaimable;
    }
}

void Scheduler::change(const ReclaimRevoked& event, Timestamp) {
    if (const auto held = state_.holdings.find(event.lease); held != state_.holdings.end()) {
        held->second.reclaimable = false;
        held->second.ending.reset();
    }
}

void Scheduler::change(const DevicesChanged& event, Timestamp) {
    state_.set_devices(event.devices);
    queue_.resolve_all(state_);
}

void Scheduler::change(const ReservationsChanged& event, Timestamp) {
    state_.set_reservations(event.reservations);
}

void Scheduler::change(const RulesChanged& event, Timestamp) {
    state_.quotas.set_rules(event.rules);
}

void Scheduler::change(const Tick&, Timestamp now) {
    for (const Holding* lease : state_.accrue(now))
        queue_.share_changed(lease->asker);
    for (auto& [id, lease] : state_.holdings) {
        if (lease.ending || queue_.find(EntryId{number_of(id)})) continue;
        if (!lease.started && now - lease.begin >= state_.options.start_limit) {
            reclaim(lease, ReclaimReason::not_started, std::nullopt, now);
        } else if (lease.deadline && *lease.deadline <= now) {
            reclaim(lease, ReclaimReason::over, std::nullopt, now);
        }
    }
}

void Scheduler::reclaim(Holding& lease, ReclaimReason reason, std::optional<EntryId> entry, Timestamp now) {
    Duration grace{};
    if (reason == ReclaimReason::idle) grace = state_.options.reclaim_grace;
    if (reason == ReclaimReason::preempted) grace = state_.options.preemption.grace;
    lease.ending = now + grace;
    actions_.push_back(ReclaimAction{
        .lease = lease.id, .reason = reason, .entry = entry, .grace = grace, .text = reclaim_text(reason)});
}

void Scheduler::decide(Timestamp now) {
    if (queue_.waiting() == 0) return;
    std::vector<const Entry*> blocked;
    for (bool granted = true; granted && queue_.waiting() > 0;) {
        Pass pass{.plan = Plan(state_, now)};
        granted = grant_one(pass, now);
        blocked = std::move(pass.blocked);
    }
    for (const Victim& victim : victims(state_, blocked, now))
        reclaim(state_.holdings.at(victim.lease), victim.reason, victim.entry, now);
    reject_impatient(now);
}

// Devices on which the entry may begin now; false when a quota keeps it back.
bool Scheduler::may_start(Pass& pass, const Entry& entry, DeviceSet& on, Timestamp now) const {
    const QueueRequest& request = entry.request;
    if (state_.quotas.rules().empty()) return true;
    const auto refusal =
        state_.quotas.refuses(request.asker, request.wish, entry.shape->model, now, Quotas::Detail::bare);
    if (refusal) {
        if (refusal->may_borrow) pass.borrowers.push_back(&entry);
        return false;
    }
    if (state_.quotas.limits_models() && entry.shape->model.empty())
        on = state_.within_model_rules(request.asker, request.wish, on);
    return true;
}

bool Scheduler::grant_one(Pass& pass, Timestamp now) {
    for (const Place& place : queue_.order(state_, now)) {
        const bool planned = pass.blocked.size() >= state_.options.planned_entries;
        if (planned && !pass.plan.has_room()) break;
        if (planned && pass.known_not_to_fit(place)) continue;
        const Entry* entry = place.entry;
        const QueueRequest& request = entry->request;
        DeviceSet on;
        if (pass.plan.has_room()) on = pass.plan.startable(*place.shape, request.asker, request.length);
        if (on.count() < request.wish.count && planned) {
            pass.does_not_fit(place, state_.reservations.empty());
            continue;
        }
        if (!may_start(pass, *entry, on, now)) continue;
        if (on.count() >= request.wish.count) {
            grant(request.id, on, false, pass.plan, now);
            return true;
        }
        (void)pass.plan.book(*place.shape, request.asker, request.length, now);
        pass.blocked.push_back(entry);
    }
    if (!pass.blocked.empty()) return false;
    for (const Entry* entry : pass.borrowers) {
        const DeviceSet on = pass.plan.startable(*entry->shape, entry->request.asker, entry->request.length);
        if (on.count() < entry->request.wish.count) continue;
        grant(entry->request.id, on, true, pass.plan, now);
        return true;
    }
    return false;
}

void Scheduler::grant(EntryId id, const DeviceSet& on, bool borrowed, const Plan& plan, Timestamp now) {
    Entry& entry = *queue_.find(id);
    const QueueRequest& request = entry.request;
    const auto chosen = state_.choose(request.wish, request.asker.user, on, now);
    Holding lease{
        .id = provisional(id), .asker = request.asker, .sharing = request.wish.sharing, .begin = now};
    for (const std::uint32_t at : chosen) {
        lease.devices.push_back(state_.devices[at].uuid);
        if (!lease.reservation) lease.reservation = plan.reservation_of(at, request.asker);
    }
    if (request.length) lease.deadline = now + *request.length;
    lease.priority = request.priority;
    lease.profile = request.profile;
    lease.preemptible = request.preemptible || borrowed;
    lease.borrowed = borrowed;
    lease.started = false;
    actions_.push_back(GrantAction{
        .entry = id,
        .devices = lease.devices,
        .sharing = lease.sharing,
        .deadline = lease.deadline,
        .borrowed = borrowed,
        .reservation = lease.reservation});
    queue_.set_granting(entry, true);
    state_.charge_entry(state_.add(std::move(lease)));
    queue_.share_changed(request.asker);
}

void Scheduler::reject_impatient(Timestamp now) {
    for (const EntryId id : std::exchange(impatient_, {})) {
        const Entry* entry = queue_.find(id);
        if (!entry) continue;
        if (entry->granting) {
            impatient_.push_back(id);
            continue;
        }
        const Why answer = why(entry->request, now);
        std::string text = answer.quota.empty() ? "No GPU is free for you now." : answer.quota;
        for (const auto& each : answer.helps)
            text.append(" ").append(each);
        reject(id, std::move(text));
    }
}

}  // namespace berth::gpu
