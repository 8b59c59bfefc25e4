// What must hold (gpu.md E.13), as the model checker asks it.
#include "gpu/model_world_test.hpp"
#include "gpu/preemption.hpp"

#include <algorithm>
#include <set>

namespace berth::gpu::model {
namespace {

using Violation = std::optional<std::string>;

std::string on(const char* rule, std::size_t job) {
    return std::string(rule) + " (request " + std::to_string(job + 1) + ")";
}

bool matches(const QueueRequest& request, const ScheduledDevice& device) {
    return device.pool == request.wish.pool &&
           (request.wish.model.empty() || request.wish.model == device.model);
}

}  // namespace

// I6, I7, I8, I14, I17, L2 at the moment of a grant.
Violation World::granted(const GrantAction& action, const Scheduler& before) {
    const auto job = static_cast<std::size_t>(action.entry) - 1;
    if (jobs[job].stage != Stage::waiting) return on("a grant for a request that does not wait", job);
    const QueueRequest& request = scenario->requests[job];
    const auto list = devices();
    std::set<std::uint8_t> places;
    for (const DeviceUuid& uuid : action.devices) {
        for (std::size_t at = 0; at < list.size(); ++at) {
            if (list[at].uuid != uuid) continue;
            places.insert(static_cast<std::uint8_t>(at));
            if (!list[at].eligible) return on("I6: not eligible", job);
            if (list[at].external > 0) return on("I6: used from outside", job);
            if (!matches(request, list[at])) return on("I6: not what was asked for", job);
        }
    }
    if (places.size() != request.wish.count || action.devices.size() != request.wish.count) {
        return on("I8: not exactly as many devices as asked for", job);
    }
    if (request.length && action.deadline != now + *request.length) return on("the deadline is another", job);
    for (const QuotaRule& rule : scenario->rules) {
        if (!rule.devices || rule.scope != QuotaScope::user) continue;
        std::size_t held = request.wish.count, believed = held;
        for (std::size_t other = 0; other < kRequests; ++other) {
            const bool theirs = scenario->requests[other].asker.user == request.asker.user;
            if (theirs && holds_devices(jobs[other].stage)) held += jobs[other].devices.size();
            if (theirs && jobs[other].stage == Stage::ending_done) believed += jobs[other].devices.size();
        }
        if (held > *rule.devices && !(action.borrowed && rule.borrow)) return on("I7: over the quota", job);
        if (held + believed - request.wish.count <= *rule.devices && action.borrowed)
            return on("I7: borrowed within the quota", job);
    }
    for (const Reservation& reservation : scenario->reservations) {
        if (reservation.belongs_to(request.asker) || reservation.end <= now) continue;
        std::size_t free_by_then = 0;
        for (std::uint8_t at = 0; at < list.size(); ++at) {
            bool free = list[at].eligible && list[at].pool == reservation.wish.pool;
            for (std::size_t other = 0; other < kRequests; ++other) {
                const bool its =
                    other == job
                        ? places.contains(at)
                        : holds_devices(jobs[other].stage) &&
                              std::count(jobs[other].devices.begin(), jobs[other].devices.end(), at) > 0;
                // One that is being taken back is over by then, whatever its deadline was.
                const auto theirs = jobs[other].reclaimed ? std::optional(now) : jobs[other].deadline;
                const auto deadline = other == job ? action.deadline : theirs;
                const bool owner = reservation.belongs_to(scenario->requests[other].asker);
                const bool into_it = its && (!deadline || *deadline > reservation.begin);
                if (into_it) free = owner;  // its owner's own lease is what it was made for
            }
            free_by_then += free ? 1 : 0;
        }
        if (free_by_then < reservation.wish.count) return on("I17: into reserved time", job);
    }
    if (scenario->reservations.empty() && request.wish.count == 1 && before.waiting() == 0 &&
        !before.find(action.entry)) {
        const SchedulerState& state = before.state();
        const std::uint8_t got = *places.begin();
        for (std::uint8_t at = 0; at < list.size(); ++at) {
            const bool could = state.shape_of(request.wish)->matching.test(at) &&
                               state.unusable_reason(at).empty() && state.has_room(at, request.wish.sharing);
            const auto key = [&](std::uint8_t place) { return std::pair(state.use[place].leases, place); };
            const bool unchanged = state.use.size() == list.size();
            if (could && unchanged && key(at) < key(got)) return on("I14: not the least allocated", job);
        }
    }
    for (std::size_t other = 0; other < kRequests; ++other) {
        const QueueRequest& theirs = scenario->requests[other];
        const Entry* waits = scheduler.find(entry_of(other));
        if (other == job || jobs[other].stage != Stage::waiting || !waits || waits->granting) continue;
        const bool alike = theirs.wish == request.wish && theirs.priority == request.priority &&
                           theirs.length == request.length && theirs.asker.user == request.asker.user;
        if (alike && std::pair(jobs[other].enqueued, other) < std::pair(jobs[job].enqueued, job)) {
            return on("L2: out of turn", job);
        }
        if (theirs.wish == request.wish && theirs.priority > request.priority && scenario->rules.empty() &&
            scenario->reservations.empty() && theirs.length == request.length) {
            return on("L2: before a higher class", job);
        }
    }
    jobs[job].stage = Stage::granting;
    jobs[job].devices.assign(places.begin(), places.end());
    jobs[job].deadline = action.deadline;
    jobs[job].begin = now;
    jobs[job].sharing = action.sharing;
    jobs[job].borrowed = action.borrowed;
    return std::nullopt;
}

Violation World::reclaimed(const ReclaimAction& action) {
    const auto job = static_cast<std::size_t>(number_of(action.lease) - 101);
    const bool held =
        job < kRequests && (holds_devices(jobs[job].stage) || jobs[job].stage == Stage::ending_done);
    if (!held) return "a reclaim of what is not held";
    if (std::exchange(jobs[job].reclaimed, true)) return on("reclaimed twice", job);
    const Holding& lease = scheduler.state().holdings.at(action.lease);
    if (action.reason == ReclaimReason::idle && !jobs[job].idle) return on("not idle", job);
    if (action.reason == ReclaimReason::over && (!jobs[job].deadline || *jobs[job].deadline > now)) {
        return on("its time is not over", job);
    }
    if (action.reason == ReclaimReason::idle || action.reason == ReclaimReason::preempted) {
        if (!action.entry) return on("taken back for nobody", job);
        const auto claimant = static_cast<std::size_t>(*action.entry) - 1;
        if (jobs[claimant].stage != Stage::waiting) return on("taken back for one who does not wait", job);
    }
    if (action.reason != ReclaimReason::preempted) return std::nullopt;
    const auto& options = scenario->options.preemption;
    if (!lease.preemptible) return on("preempted, but it may not be", job);
    if (now - jobs[job].begin < options.min_runtime) return on("preempted before its time", job);
    if (!options.enabled && !lease.borrowed) return on("preempted while preemption is off", job);
    // L4: the claimant's lease, once it may be preempted at all, against the victim waiting again.
    const QueueRequest& claimant = scheduler.find(*action.entry)->request;
    SchedulerState after = scheduler.state();
    Holding theirs{.id = LeaseId{999}, .asker = claimant.asker, .begin = now - options.min_runtime};
    theirs.devices = lease.devices;
    theirs.devices.resize(claimant.wish.count);
    theirs.priority = claimant.priority;
    theirs.preemptible = true;
    if (claimant.length) theirs.deadline = theirs.begin + *claimant.length;
    after.charge_entry(theirs);
    QueueRequest victim = scenario->requests[job];
    const bool within = !after.quotas.refuses(victim.asker, victim.wish, "", now);
    if (within && may_preempt(after, victim, theirs, now)) return on("L4: and back again", job);
    return std::nullopt;
}

// I2, I4 over the truth: what is durable or decided, whatever the scheduler believes.
Violation World::check_devices() const {
    const auto list = devices();
    std::vector<std::uint32_t> alone(list.size()), shared(list.size());
    for (const Job& job : jobs) {
        if (!holds_devices(job.stage)) continue;
        for (const auto at : job.devices)
            ++(job.sharing == Sharing::exclusive ? alone : shared)[at];
    }
    for (std::size_t at = 0; at < list.size(); ++at) {
        if (alone[at] > 1 || (alone[at] > 0 && shared[at] > 0)) return "I2: an exclusive device held twice";
        if (shared[at] > list[at].capacity) return "I2: more than its factor";
        for (std::size_t other = 0; other < list.size(); ++other) {
            if (list[other].parent != list[at].uuid) continue;
            if (alone[at] + shared[at] > 0 && alone[other] + shared[other] > 0)
                return "I4: parent and instance";
        }
    }
    return std::nullopt;
}

// I1, I9, I12, L5: what the scheduler believes against the truth.
Violation World::check_scheduler(bool after_tick) const {
    const SchedulerState& state = scheduler.state();
    std::vector<std::uint32_t> counted(state.devices.size());
    std::size_t held = 0;
    for (const auto& [id, lease] : state.holdings) {
        for (const std::uint32_t at : lease.at)
            ++counted[at];
    }
    for (std::size_t at = 0; at < counted.size(); ++at) {
        if (counted[at] != state.use[at].leases) return "I1: a counter is wrong";
    }
    for (std::size_t i = 0; i < kRequests; ++i) {
        const Job& job = jobs[i];
        const bool as_entry = state.holdings.contains(LeaseId{static_cast<std::int64_t>(entry_of(i))});
        const auto lease = state.holdings.find(lease_of(i));
        const bool as_lease = lease != state.holdings.end();
        held += as_entry || as_lease ? 1 : 0;
        const bool must = holds_devices(job.stage) || job.stage == Stage::ending_done;
        if (must != (as_entry || as_lease)) {
            return on(must ? "I12: the scheduler does not know it" : "I9: held after its end", i);
        }
        if (as_entry && as_lease) return on("I1: held twice", i);
        if (job.stage == Stage::waiting && !scheduler.find(entry_of(i))) return on("L1: forgotten", i);
        if (!as_lease) continue;
        if (!after_tick) continue;
        const bool late = now - lease->second.begin >= scenario->options.start_limit;
        if (late && !lease->second.started && !lease->second.ending) {
            return on("L5: reserved for longer than a start may take", i);
        }
        const bool over = job.deadline && *job.deadline <= now;
        if (over && !lease->second.ending) return on("E.7: over, and nobody ends it", i);
    }
    if (held != state.holdings.size()) return "I1: a lease that nobody holds";
    return std::nullopt;
}

// The first of those that no quota keeps back, with the promise made to them.
std::optional<Estimate> World::head_of(const Scheduler& which) const {
    for (const Estimate& each : which.estimates(now)) {
        if (each.quota.empty()) return each;
    }
    return std::nullopt;
}

// L3: what was decided does not delay whoever was first when it was decided.
Violation World::check_head(const Scheduler& undecided) const {
    const auto head = head_of(undecided);
    if (!head || !head->latest_start) return std::nullopt;
    for (const Estimate& after : scheduler.estimates(now)) {
        if (after.entry != head->entry) continue;
        if (!after.latest_start || *after.latest_start > *head->latest_start) {
            return "L3: the head was promised " + format_rfc3339(*head->latest_start) + " and now " +
                   (after.latest_start ? format_rfc3339(*after.latest_start) : std::string("nothing"));
        }
    }
    return std::nullopt;
}

// I9: an end told twice, and the end of what nobody knows, change nothing.
Violation World::duplicates_change_nothing() const {
    Scheduler again = scheduler;
    for (std::size_t i = 0; i < kRequests; ++i) {
        if (jobs[i].stage == Stage::over) (void)again.apply(LeaseEnded{lease_of(i)}, now);
        if (jobs[i].stage == Stage::reserved) {
            (void)again.apply(GrantConfirmed{entry_of(i), lease_of(i), jobs[i].deadline}, now);
        }
    }
    (void)again.apply(LeaseEnded{LeaseId{77'777}}, now);
    (void)again.apply(GrantFailed{EntryId{77'777}}, now);
    if (digest_of(again) != digest_of(scheduler)) return "I9: told twice is not told once";
    return std::nullopt;
}

}  // namespace berth::gpu::model
