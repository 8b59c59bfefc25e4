#include "gpu/replay.hpp"

#include "gpu/idle_limit.hpp"
#include "gpu/scheduler.hpp"

#include <algorithm>
#include <queue>
#include <set>
#include <tuple>
#include <unordered_map>

namespace berth::gpu {
namespace {

using std::chrono::minutes;

constexpr Duration kTick = minutes(5);
constexpr Duration kLook = minutes(1);  // at who leaves their GPU unused; kTick is a multiple

double in_hours(Duration time) {
    return std::chrono::duration<double, std::ratio<3600>>(time).count();
}

Duration of_minutes(double value) {
    return Duration(static_cast<std::int64_t>(value * 6e7));
}

SchedulerOptions options_for(const ReplayParameters& parameters, Discipline discipline) {
    SchedulerOptions options;
    options.max_entries = 1'000'000;
    options.start_limit = std::chrono::hours(10'000);
    options.reclaim_grace = of_minutes(parameters.warning_minutes);
    options.age_max = of_minutes(parameters.age_max_hours * 60);
    options.default_length = of_minutes(parameters.lease_hours * 60);
    if (discipline != Discipline::berth) {
        options.age_max = Duration{};  // everybody is served in the order they came
        options.default_length = std::nullopt;
    }
    return options;
}

class Simulation {
public:
    Simulation(const ReplayParameters& parameters, Discipline discipline)
        : parameters_(parameters),
          discipline_(discipline),
          trace_(replay_trace(parameters)),
          states_(trace_.size()),
          done_(parameters.users),
          wanted_(parameters.users),
          end_(replay_begin() + std::chrono::hours(24) * parameters.days),
          scheduler_(options_for(parameters, discipline)) {}

    ReplayOutcome run() {
        now_ = replay_begin();
        served_.assign(parameters_.users, now_);
        take(DevicesChanged{devices()});
        for (std::size_t i = 0; i < trace_.size(); ++i) {
            at(trace_[i].arrives, Kind::arrive, i);
            for (const auto& work : trace_[i].work)
                wanted_[user_of(i)] += in_hours(work.length);
        }
        if (discipline_ == Discipline::berth) at(now_ + kLook, Kind::tick, 0);
        while (!events_.empty() && events_.top().time <= end_) {
            const Event event = events_.top();
            events_.pop();
            now_ = event.time;
            happen(event);
        }
        now_ = end_;
        return outcome();
    }

private:
    enum class Kind {
        arrive,
        work_begins,
        work_ends,
        logout,
        give_up,
        retry,
        lease_ends,
        taken,
        renew,
        tick
    };
    struct Event {
        Timestamp time;
        std::uint64_t number;  // in the order in which they were planned
        Kind kind;
        std::size_t session;
        std::uint64_t stamp;  // of the session, or the lease: outdated ones do not happen
        bool operator>(const Event& other) const {
            return std::tie(time, number) > std::tie(other.time, other.number);
        }
    };
    enum class Phase { away, waiting, working, idle, gone };
    struct State {
        Phase phase = Phase::away;
        std::uint64_t stamp = 0;  // counts changes of phase
        std::size_t next_work = 0;
        Duration left{};    // of the work at hand
        Timestamp since{};  // of the wait, the work, or the idle time
        EntryId entry{};
        std::optional<LeaseId> lease{};
        Timestamp lease_begin{};
        bool marked = false;
        std::optional<Timestamp> taken_at{};  // it was warned, and loses its GPU then
        bool asked_before = false;
        bool served = false;
    };

    std::vector<ScheduledDevice> devices() const {
        std::vector<ScheduledDevice> list(parameters_.devices);
        for (std::size_t i = 0; i < list.size(); ++i)
            list[i].uuid = DeviceUuid("GPU-" + std::to_string(i));
        return list;
    }
    std::size_t user_of(std::size_t session) const {
        return static_cast<std::size_t>(number_of(trace_[session].user) - 1);
    }
    void at(Timestamp time, Kind kind, std::size_t session, std::uint64_t stamp = 0) {
        events_.push({.time = time, .number = ++planned_, .kind = kind, .session = session, .stamp = stamp});
    }
    State& enter(std::size_t session, Phase phase) {
        State& state = states_[session];
        state.phase = phase;
        ++state.stamp;
        return state;
    }

    void happen(const Event& event) {
        State& state = states_[event.session];
        switch (event.kind) {
            case Kind::tick:
                return tick();
            case Kind::taken:
                if (state.taken_at != now_) return;
                return lease_ends(event.session, LeaseId{static_cast<std::int64_t>(event.stamp)});
            case Kind::arrive:
                state.left = trace_[event.session].work[0].length;
                return ask(event.session);
            case Kind::lease_ends:
                return lease_ends(event.session, LeaseId{static_cast<std::int64_t>(event.stamp)});
            case Kind::renew:
                return renew(event.session, LeaseId{static_cast<std::int64_t>(event.stamp)});
            default:
                break;
        }
        if (event.stamp != state.stamp) return;
        if (event.kind == Kind::work_begins) return work_begins(event.session);
        if (event.kind == Kind::work_ends) return work_ends(event.session);
        if (event.kind == Kind::retry) return try_once(event.session);
        if (event.kind == Kind::give_up) return give_up(event.session);
        leave(event.session);  // logout
    }

    // A request, and the wait for it.
    void ask(std::size_t session) {
        State& state = enter(session, Phase::waiting);
        state.since = now_;
        waiting_.emplace(now_, session);
        ++outcome_.requests;
        if (!state.asked_before) ++outcome_.sessions;
        at(now_ + trace_[session].patience, Kind::give_up, session, state.stamp);
        try_once(session);
    }

    void try_once(std::size_t session) {
        State& state = states_[session];
        QueueRequest request;
        request.id = EntryId{++ids_};
        request.asker.user = trace_[session].user;
        request.enqueued = now_;
        request.wait = discipline_ != Discipline::first_come;
        state.entry = request.id;
        sessions_.emplace(ids_, session);
        take(Enqueue{std::move(request)});
        if (discipline_ == Discipline::first_come && states_[session].phase == Phase::waiting) {
            at(now_ + of_minutes(parameters_.retry_minutes), Kind::retry, session, states_[session].stamp);
        }
    }

    void note_wait(std::size_t session) {
        State& state = states_[session];
        waiting_.erase({state.since, session});
        const double waited = in_hours(now_ - state.since);
        waits_.all.push_back(waited);
        const Timestamp without = std::max(state.since, served_[user_of(session)]);
        waits_.without.push_back(in_hours(now_ - without));
        if (!state.asked_before) waits_.first.push_back(waited);
        state.asked_before = true;
    }

    void give_up(std::size_t session) {
        note_wait(session);
        enter(session, Phase::gone);
        take(Cancel{states_[session].entry});
    }

    void granted(std::size_t session, LeaseId lease, std::optional<Timestamp> deadline) {
        State& state = states_[session];
        note_wait(session);
        served_[user_of(session)] = now_;
        if (!std::exchange(state.served, true)) ++outcome_.served;
        state.lease = lease;
        state.lease_begin = now_;
        state.marked = false;
        state.taken_at.reset();
        holders_.insert(session);
        if (deadline) at(*deadline - minutes(10), Kind::renew, session, stamp_of(lease));
        begin_work(session);
    }

    void begin_work(std::size_t session) {
        State& state = enter(session, Phase::working);
        state.since = now_;
        at(now_ + state.left, Kind::work_ends, session, state.stamp);
    }

    void work_begins(std::size_t session) {
        State& state = states_[session];
        if (!state.lease) return ask(session);
        mark_idle(state, false);
        begin_work(session);
    }

    void count_work(std::size_t session) {
        State& state = states_[session];
        const Duration worked = now_ - state.since;
        done_[user_of(session)] += in_hours(worked);
        state.left -= worked;
    }

    void work_ends(std::size_t session) {
        count_work(session);
        const ReplaySession& whole = trace_[session];
        State& state = enter(session, Phase::idle);
        if (++state.next_work == whole.work.size()) {
            ++outcome_.finished;
            at(now_ + whole.idle_after, Kind::logout, session, state.stamp);
        } else {
            state.left = whole.work[state.next_work].length;
            at(now_ + whole.work[state.next_work].idle_before, Kind::work_begins, session, state.stamp);
        }
        state.since = now_;
    }

    // As the hub does it: a GPU is marked so early that the warning is over with the limit.
    void tick() {
        at(now_ + kLook, Kind::tick, 0);
        if ((now_ - replay_begin()) % kTick == Duration{}) take(Tick{});
        if (waiting_.empty()) return;
        const Duration limit =
            idle_limit(of_minutes(parameters_.reclaim_idle_minutes), now_ - waiting_.begin()->first);
        const Duration lead = std::min(of_minutes(parameters_.warning_minutes), limit / 2);
        const std::vector<std::size_t> holders(holders_.begin(), holders_.end());
        for (const std::size_t session : holders) {
            State& state = states_[session];
            mark_idle(state, state.phase == Phase::idle && now_ - state.since >= limit - lead);
        }
    }

    void mark_idle(State& state, bool idle) {
        if (!state.lease || state.marked == idle) return;
        state.marked = idle;
        if (!idle && std::exchange(state.taken_at, std::nullopt)) return take(ReclaimRevoked{*state.lease});
        take(IdleMarked{*state.lease, idle});
    }

    void leave(std::size_t session) {
        enter(session, Phase::gone);
        release(session);
    }

    void release(std::size_t session) {
        State& state = states_[session];
        if (!state.lease) return;
        held_hours_ += in_hours(now_ - state.lease_begin);
        const LeaseId lease = *state.lease;
        state.lease.reset();
        holders_.erase(session);
        take(LeaseEnded{lease});
    }

    // Taken back: the grace is over.
    void lease_ends(std::size_t session, LeaseId lease) {
        State& state = states_[session];
        if (state.lease != lease) return;
        outcome_.reclaimed_idle += state.taken_at ? 1 : 0;
        const bool at_work = state.phase == Phase::working;
        if (at_work) {
            count_work(session);
            ++outcome_.ended_at_work;
            enter(session, Phase::away);
        }
        release(session);
        if (at_work) ask(session);
    }

    // Who is at work asks for more time shortly before the end; nobody else does.
    void renew(std::size_t session, LeaseId lease) {
        State& state = states_[session];
        if (state.lease != lease || state.phase != Phase::working) return;
        const Timestamp deadline = now_ + of_minutes(parameters_.lease_hours * 60);
        if (scheduler_.extension_refusal(lease, deadline, now_)) return;
        take(LeaseExtended{lease, deadline});
        at(deadline - minutes(10), Kind::renew, session, stamp_of(lease));
    }

    static std::uint64_t stamp_of(LeaseId lease) { return static_cast<std::uint64_t>(number_of(lease)); }

    void take(const gpu::Event& event) {
        for (const Action& action : scheduler_.apply(event, now_)) {
            if (const auto* grant = std::get_if<GrantAction>(&action)) {
                const LeaseId lease{++ids_};
                const std::size_t session = sessions_.at(static_cast<std::int64_t>(grant->entry));
                sessions_.emplace(ids_, session);
                take(GrantConfirmed{grant->entry, lease, grant->deadline});
                granted(session, lease, grant->deadline);
            } else if (const auto* reclaim = std::get_if<ReclaimAction>(&action)) {
                const std::size_t session = sessions_.at(number_of(reclaim->lease));
                const bool idle = reclaim->reason == ReclaimReason::idle;
                const Timestamp end = now_ + reclaim->grace;
                if (idle) states_[session].taken_at = end;
                at(end, idle ? Kind::taken : Kind::lease_ends, session, stamp_of(reclaim->lease));
            }
        }
    }

    ReplayOutcome outcome() {
        // Waits and work that the end of the month cuts off count as far as they went.
        for (std::size_t i = 0; i < states_.size(); ++i) {
            State& state = states_[i];
            if (state.phase == Phase::waiting) note_wait(i);
            if (state.phase == Phase::working) count_work(i);
            if (state.lease) held_hours_ += in_hours(now_ - state.lease_begin);
        }
        outcome_.bound_hours = parameters_.age_max_hours + parameters_.lease_hours;
        measure_waits(outcome_, waits_);
        measure_fairness();
        const double capacity = 24.0 * parameters_.days * parameters_.devices;
        outcome_.held_share = held_hours_ / capacity;
        outcome_.busy_share = outcome_.work_done_hours / capacity;
        return outcome_;
    }

    void measure_fairness() {
        for (std::size_t user = 0; user < done_.size(); ++user) {
            outcome_.work_done_hours += done_[user];
            outcome_.work_wanted_hours += wanted_[user];
        }
        const auto parts = fair_parts(wanted_, outcome_.work_done_hours);
        std::vector<double> of_part, of_wanted;
        for (std::size_t user = 0; user < done_.size(); ++user) {
            if (wanted_[user] <= 0) continue;
            of_part.push_back(done_[user] / std::max(parts[user], 1e-9));
            of_wanted.push_back(done_[user] / wanted_[user]);
        }
        outcome_.jain = jain_index(of_part);
        outcome_.jain_of_fraction = jain_index(of_wanted);
    }

    ReplayParameters parameters_;
    Discipline discipline_;
    std::vector<ReplaySession> trace_;
    std::vector<State> states_;
    std::vector<double> done_, wanted_;  // GPU-hours of work by user
    Timestamp end_;
    Scheduler scheduler_;
    Timestamp now_{};
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t planned_ = 0;
    std::int64_t ids_ = 0;
    std::unordered_map<std::int64_t, std::size_t> sessions_;  // by entry and by lease
    ReplayWaits waits_;
    std::vector<Timestamp> served_;                        // by user: their last grant
    std::set<std::pair<Timestamp, std::size_t>> waiting_;  // who waits longest comes first
    std::set<std::size_t> holders_;
    double held_hours_ = 0;
    ReplayOutcome outcome_;
};

}  // namespace

ReplayOutcome replay(const ReplayParameters& parameters, Discipline discipline) {
    return Simulation(parameters, discipline).run();
}

}  // namespace berth::gpu
