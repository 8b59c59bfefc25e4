#include "gpu/replay.hpp"

#include "gpu/scheduler.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <tuple>
#include <unordered_map>

namespace berth::gpu {
namespace {

using std::chrono::minutes;

constexpr Duration kTick = minutes(5);

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
    options.reclaim_grace = of_minutes(parameters.grace_minutes);
    options.age_max = of_minutes(parameters.age_max_hours * 60);
    options.default_length = of_minutes(parameters.lease_hours * 60);
    if (discipline != Discipline::berth) {
        options.age_max = Duration{};  // everybody is served in the order they came
        options.default_length = std::nullopt;
    }
    return options;
}

double quantile(std::vector<double>& sorted, double part) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
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
        at(now_ + kTick, Kind::tick, 0);
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
    enum class Kind { arrive, work_begins, work_ends, logout, idle, give_up, retry, lease_ends, renew, tick };
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
        Timestamp since{};  // of the wait, or the work
        EntryId entry{};
        std::optional<LeaseId> lease{};
        Timestamp lease_begin{};
        bool marked = false;
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
                if (discipline_ == Discipline::berth) take(Tick{});
                return at(now_ + kTick, Kind::tick, 0);
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
        if (event.kind == Kind::idle) return mark_idle(state);
        if (event.kind == Kind::retry) return try_once(event.session);
        if (event.kind == Kind::give_up) return give_up(event.session);
        leave(event.session);  // logout
    }

    // A request, and the wait for it.
    void ask(std::size_t session) {
        State& state = enter(session, Phase::waiting);
        state.since = now_;
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
        const double waited = in_hours(now_ - state.since);
        waits_.push_back(waited);
        const Timestamp without = std::max(state.since, served_[user_of(session)]);
        withouts_.push_back(in_hours(now_ - without));
        if (!state.asked_before) first_waits_.push_back(waited);
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
        if (std::exchange(state.marked, false)) take(IdleMarked{*state.lease, false});
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
        if (discipline_ != Discipline::berth) return;
        const Duration idle = of_minutes(parameters_.idle_minutes + parameters_.notice_minutes);
        at(now_ + idle, Kind::idle, session, state.stamp);
    }

    void mark_idle(State& state) {
        if (!state.lease) return;
        state.marked = true;
        take(IdleMarked{*state.lease, true});
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
        take(LeaseEnded{lease});
    }

    // Taken back: the grace is over.
    void lease_ends(std::size_t session, LeaseId lease) {
        State& state = states_[session];
        if (state.lease != lease) return;
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
                outcome_.reclaimed_idle += reclaim->reason == ReclaimReason::idle ? 1 : 0;
                at(now_ + reclaim->grace,
                   Kind::lease_ends,
                   sessions_.at(number_of(reclaim->lease)),
                   stamp_of(reclaim->lease));
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
        std::sort(waits_.begin(), waits_.end());
        std::sort(first_waits_.begin(), first_waits_.end());
        outcome_.wait_median_hours = quantile(waits_, 0.5);
        outcome_.wait_p90_hours = quantile(waits_, 0.9);
        outcome_.wait_max_hours = quantile(waits_, 1);
        outcome_.first_wait_median_hours = quantile(first_waits_, 0.5);
        outcome_.bound_hours = parameters_.age_max_hours + parameters_.lease_hours;
        const auto past_bound = [&](const std::vector<double>& all) {
            return static_cast<std::uint64_t>(std::count_if(
                all.begin(), all.end(), [&](double each) { return each > outcome_.bound_hours; }));
        };
        outcome_.past_bound = past_bound(withouts_);
        outcome_.requests_past_bound = past_bound(waits_);
        if (!withouts_.empty()) {
            outcome_.longest_without_hours = *std::max_element(withouts_.begin(), withouts_.end());
        }
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
    std::vector<double> waits_, first_waits_, withouts_;
    std::vector<Timestamp> served_;  // by user: their last grant
    double held_hours_ = 0;
    ReplayOutcome outcome_;
};

}  // namespace

ReplayOutcome replay(const ReplayParameters& parameters, Discipline discipline) {
    return Simulation(parameters, discipline).run();
}

}  // namespace berth::gpu
