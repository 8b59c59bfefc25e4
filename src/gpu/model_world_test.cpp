#include "gpu/model_world_test.hpp"

#include "gpu/preemption.hpp"

#include <algorithm>
#include <bit>
#include <set>

namespace berth::gpu::model {
namespace {

using Kind = World::Step::Kind;
using Violation = std::optional<std::string>;

struct Hash {
    std::uint64_t value = 0xcbf29ce484222325ULL;
    void add(std::uint64_t part) {
        value ^= part + 0x9e3779b97f4a7c15ULL + (value << 6) + (value >> 2);
        value *= 0xff51afd7ed558ccdULL;
        value ^= value >> 32;
    }
    void add(double part) { add(std::bit_cast<std::uint64_t>(part)); }
    void add(Timestamp time) { add(static_cast<std::uint64_t>(time.time_since_epoch().count())); }
    void add(const std::optional<Timestamp>& time) { add(time.value_or(Timestamp{})); }
};

bool in_queue(Stage stage) {
    return stage == Stage::waiting || stage == Stage::granting;
}

bool durable_lease(Stage stage) {
    return stage == Stage::granting_done || stage == Stage::reserved || stage == Stage::creating_done ||
           stage == Stage::running || stage == Stage::stopping || stage == Stage::gone;
}

bool has_container(Stage stage) {
    return stage == Stage::creating_done || stage == Stage::running || stage == Stage::stopping;
}

}  // namespace

bool holds_devices(Stage stage) {
    return stage == Stage::granting || durable_lease(stage);
}

std::uint64_t digest_of(const Scheduler& scheduler) {
    Hash hash;
    const SchedulerState& state = scheduler.state();
    for (const auto& [id, lease] : state.holdings) {
        hash.add(static_cast<std::uint64_t>(number_of(id)));
        for (const std::uint32_t at : lease.at)
            hash.add(std::uint64_t{at});
        hash.add(lease.begin);
        hash.add(lease.deadline);
        hash.add(lease.ending);
        hash.add(
            std::uint64_t{lease.reclaimable} | std::uint64_t{lease.started} << 1U |
            std::uint64_t{lease.borrowed} << 2U | std::uint64_t{lease.preemptible} << 3U);
        hash.add(lease.charged.gpu_seconds);
    }
    for (std::int64_t id = 1; id <= static_cast<std::int64_t>(kRequests); ++id) {
        const Entry* entry = scheduler.find(EntryId{id});
        hash.add(entry ? 1 + std::uint64_t{entry->granting} + 2 * std::uint64_t{entry->cancelled} : 0);
    }
    for (std::int64_t user = 1; user <= 3; ++user) {
        hash.add(state.shares.of_user(UserId{user}));
        const auto served = state.served.find(UserId{user});
        if (served != state.served.end()) hash.add(served->second);
    }
    for (const DeviceUse& use : state.use)
        hash.add(std::uint64_t{use.leases} << 8U | use.exclusive_leases);
    return hash.value;
}

World::World(const Scenario& which)
    : scenario(&which),
      scheduler(which.options),
      now(model_begin()),
      steps_left(which.steps),
      crashes_left(which.crashes),
      failures_left(which.failures) {
    scheduler = recovered();
}

std::vector<ScheduledDevice> World::devices() const {
    auto list = scenario->devices;
    if (broken) list[0].eligible = false;
    return list;
}

std::uint64_t World::digest() const {
    Hash hash;
    hash.add(digest_of(scheduler));
    hash.add(now);
    for (const Job& job : jobs) {
        hash.add(
            static_cast<std::uint64_t>(job.stage) | std::uint64_t{job.idle} << 8U |
            std::uint64_t{job.cancelled} << 9U | std::uint64_t{job.reclaimed} << 10U);
        for (const auto at : job.devices)
            hash.add(std::uint64_t{at} + 1);
        hash.add(job.deadline);
        hash.add(job.enqueued);
    }
    hash.add(
        std::uint64_t{steps_left} << 16U | std::uint64_t{crashes_left} << 8U |
        std::uint64_t{failures_left} << 1U | std::uint64_t{broken});
    return hash.value;
}

std::vector<World::Step> World::steps() const {
    std::vector<Step> all;
    const bool may_fail = failures_left > 0;
    for (std::uint8_t i = 0; i < kRequests; ++i) {
        const Job& job = jobs[i];
        const auto can = [&](Kind kind, bool when = true) {
            if (when) all.push_back({.kind = kind, .job = i});
        };
        switch (job.stage) {
            case Stage::unasked:
                // Requests that are alike come in order: the other orders are the same but for names.
                can(Kind::ask);
                break;
            case Stage::waiting:
                can(Kind::cancel);
                break;
            case Stage::granting:
                can(Kind::commit);
                can(Kind::commit_fails, may_fail);
                can(Kind::commit_late, may_fail);
                can(Kind::cancel, !job.cancelled && may_fail);
                break;
            case Stage::granting_done:
                can(Kind::resolve);
                break;
            case Stage::reserved:
                can(Kind::create, !job.reclaimed);
                can(Kind::create_late, may_fail && !job.reclaimed);
                can(Kind::create_fails, may_fail);
                can(Kind::stop, job.reclaimed);
                break;
            case Stage::creating_done:
                can(Kind::inspect);
                break;
            case Stage::running:
                can(Kind::stop);
                can(job.idle ? Kind::busy : Kind::idle);
                break;
            case Stage::stopping:
                can(Kind::removed);
                break;
            case Stage::gone:
                can(Kind::release);
                can(Kind::release_late, may_fail);
                break;
            case Stage::ending_done:
                can(Kind::release_resolved);
                break;
            case Stage::over:
            case Stage::refused:
                break;
        }
    }
    if (steps_left > 0) all.push_back({.kind = Kind::clock});
    if (crashes_left > 0) all.push_back({.kind = Kind::crash});
    if (!broken && may_fail) all.push_back({.kind = Kind::break_device});
    return all;
}

Violation World::take(Step step) {
    Job& job = jobs[step.job];
    const EntryId entry = entry_of(step.job);
    const LeaseId lease = lease_of(step.job);
    Violation found;
    switch (step.kind) {
        case Kind::ask: {
            job.stage = Stage::waiting;
            job.enqueued = now;
            QueueRequest request = scenario->requests[step.job];
            request.id = entry;
            request.enqueued = now;
            found = apply(Enqueue{request});
            break;
        }
        case Kind::cancel:
            if (job.stage == Stage::granting) {
                job.cancelled = true;
                --failures_left;
            } else {
                job.stage = Stage::refused;
            }
            found = apply(Cancel{entry});
            break;
        case Kind::commit:
        case Kind::resolve:
            job.stage = Stage::reserved;
            found = apply(GrantConfirmed{entry, lease, job.deadline});
            break;
        case Kind::commit_fails:
            --failures_left;
            job.stage = job.cancelled ? Stage::refused : Stage::waiting;
            job.devices.clear();
            found = apply(GrantFailed{entry, true});
            break;
        case Kind::commit_late:
            --failures_left;
            job.stage = Stage::granting_done;
            break;
        case Kind::create:
        case Kind::inspect:
            job.stage = Stage::running;
            found = apply(LeaseStarted{lease});
            break;
        case Kind::create_late:
            --failures_left;
            job.stage = Stage::creating_done;
            break;
        case Kind::create_fails:
            --failures_left;
            job.stage = Stage::gone;
            break;
        case Kind::idle:
        case Kind::busy:
            job.idle = step.kind == Kind::idle;
            found = apply(IdleMarked{lease, job.idle});
            break;
        case Kind::stop:
            job.stage = job.stage == Stage::reserved ? Stage::gone : Stage::stopping;
            break;
        case Kind::removed:
            job.stage = Stage::gone;
            break;
        case Kind::release:
        case Kind::release_resolved:
            job.stage = Stage::over;
            job.devices.clear();
            found = apply(LeaseEnded{lease});
            break;
        case Kind::release_late:
            --failures_left;
            job.stage = Stage::ending_done;
            break;
        case Kind::crash:
            --crashes_left;
            found = crash();
            break;
        case Kind::clock:
            --steps_left;
            now += scenario->step;
            found = apply(Tick{});
            break;
        case Kind::break_device:
            --failures_left;
            broken = true;
            found = apply(DevicesChanged{devices()});
            break;
    }
    if (!found) found = check_devices();
    if (!found) found = check_scheduler(step.kind == Kind::clock);
    if (!found && digest() % 4 == 0) found = duplicates_change_nothing();
    return found;
}

Violation World::apply(const Event& event) {
    const Scheduler before = scheduler;
    const auto actions = scheduler.apply(event, now);
    Scheduler again = before;  // I13
    if (again.apply(event, now).size() != actions.size() || digest_of(again) != digest_of(scheduler)) {
        return "I13: the same event led elsewhere";
    }
    for (const Action& action : actions) {
        Violation found;
        if (const auto* grant = std::get_if<GrantAction>(&action)) {
            found = granted(*grant, before);
        } else if (const auto* reclaim = std::get_if<ReclaimAction>(&action)) {
            found = reclaimed(*reclaim);
        } else {
            const auto job = static_cast<std::size_t>(std::get<RejectAction>(action).entry) - 1;
            if (!in_queue(jobs[job].stage)) return "a request was rejected that does not wait";
            jobs[job].stage = Stage::refused;
        }
        if (found) return found;
    }
    if (scheduler.waiting() == 0) return std::nullopt;
    Scheduler undecided = before;
    undecided.restore(event, now);
    return check_head(undecided);
}

// After a crash only what is durable is known; the hub then reports what the engine says.
Scheduler World::recovered() const {
    Scheduler fresh(scenario->options);
    fresh.restore(RulesChanged{scenario->rules}, now);
    fresh.restore(ReservationsChanged{scenario->reservations}, now);
    fresh.restore(DevicesChanged{devices()}, now);
    for (std::size_t i = 0; i < kRequests; ++i) {
        const Job& job = jobs[i];
        const QueueRequest& request = scenario->requests[i];
        if (durable_lease(job.stage)) {
            Holding lease{
                .id = lease_of(i), .asker = request.asker, .sharing = job.sharing, .begin = job.begin};
            for (const auto at : job.devices)
                lease.devices.push_back(scenario->devices[at].uuid);
            lease.deadline = job.deadline;
            lease.priority = request.priority;
            lease.preemptible = request.preemptible || job.borrowed;
            lease.borrowed = job.borrowed;
            lease.started = has_container(job.stage);
            for (const auto& reservation : scenario->reservations) {
                const bool under = reservation.belongs_to(request.asker) && reservation.begin <= job.begin;
                if (under && job.begin < reservation.end) lease.reservation = reservation.id;
            }
            fresh.restore(LeaseKnown{lease}, now);
        } else if (in_queue(job.stage)) {
            QueueRequest entry = request;
            entry.id = entry_of(i);
            entry.enqueued = job.enqueued;
            fresh.restore(Enqueue{entry}, now);
        }
    }
    return fresh;
}

Violation World::crash() {
    for (Job& job : jobs) {
        if (job.stage == Stage::granting) {
            job.stage = Stage::waiting;
            job.devices.clear();
        }
        if (job.stage == Stage::granting_done) job.stage = Stage::reserved;
        if (job.stage == Stage::creating_done) job.stage = Stage::running;
        if (job.stage == Stage::ending_done) job.stage = Stage::over;
        job.idle = job.cancelled = job.reclaimed = false;
    }
    scheduler = recovered();
    return apply(Tick{});
}

Violation World::ends_well() const {
    World world = *this;
    world.broken = false;
    if (auto found = world.apply(DevicesChanged{world.devices()})) return found;
    for (int round = 0; round < 60; ++round) {
        bool done = true;
        for (std::uint8_t i = 0; i < kRequests; ++i) {
            for (int part = 0; part < 8; ++part) {
                const Stage stage = world.jobs[i].stage;
                Step next{.kind = Kind::release, .job = i};
                if (stage == Stage::granting) next.kind = Kind::commit;
                if (stage == Stage::granting_done) next.kind = Kind::resolve;
                if (stage == Stage::reserved) next.kind = Kind::create;
                if (stage == Stage::creating_done) next.kind = Kind::inspect;
                if (stage == Stage::running) next.kind = Kind::stop;
                if (stage == Stage::stopping) next.kind = Kind::removed;
                if (stage == Stage::ending_done) next.kind = Kind::release_resolved;
                if (stage == Stage::unasked || stage == Stage::waiting || stage == Stage::over ||
                    stage == Stage::refused) {
                    break;
                }
                done = false;
                if (auto found = world.take(next)) return found;
            }
            done = done && world.jobs[i].stage != Stage::waiting;
        }
        if (done) return std::nullopt;
        world.now += std::chrono::hours(1);
        if (auto found = world.apply(Tick{})) return found;
    }
    return "L1: somebody waits although everything has ended";
}

}  // namespace berth::gpu::model
