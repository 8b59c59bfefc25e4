// What a discipline makes of a trace of sessions: discrete events with a virtual clock through the real
// scheduler. Pure; the same parameters give the same outcome.
//
// A session asks for one GPU, works in stretches with idle time between, and logs out. If it loses its GPU
// while idle it asks again when it goes on working, and what is left of it is delayed by that wait. Who waits
// longer than their patience goes away, with the rest of their work undone.
#pragma once

#include "gpu/replay_trace.hpp"

#include <array>
#include <string_view>
#include <vector>

namespace berth::gpu {

enum class Discipline {
    hold_until_logout,  // a queue, first come first served; held for the whole session
    first_come,         // no queue: refused when none is free, tried again later; held for the whole session
    berth,              // fair share, leases with an end, idle ones taken back when somebody waits
};
inline constexpr std::array kDisciplines{
    Discipline::hold_until_logout, Discipline::first_come, Discipline::berth};
std::string_view name_of(Discipline discipline);

struct ReplayOutcome {
    std::uint64_t sessions = 0;  // asked for a GPU
    std::uint64_t served = 0;    // of them: got it
    std::uint64_t finished = 0;  // of them: did all their work
    std::uint64_t requests = 0;  // with those who had to ask again
    double work_wanted_hours = 0;
    double work_done_hours = 0;
    // Of every request, those included that were given up: they waited at least as long.
    double wait_median_hours = 0;
    double wait_p90_hours = 0;
    double wait_max_hours = 0;
    // Of a session's first request alone: what a person calls waiting for a GPU.
    double first_wait_median_hours = 0;
    double bound_hours = 0;        // age_max and the longest lease: what a wait may come to
    std::uint64_t past_bound = 0;  // requests whose user got nothing at all for longer
    double longest_without_hours = 0;
    std::uint64_t requests_past_bound = 0;  // that waited longer, whatever else their user got
    // Work done per user over the fair part: min(wanted, what an equal division of all work done allows).
    double jain = 0;
    double jain_of_fraction = 0;  // the same over done/wanted alone
    double held_share = 0;        // of all GPU-hours
    double busy_share = 0;
    std::uint64_t reclaimed_idle = 0;
    std::uint64_t ended_at_work = 0;  // leases that were over while their session worked
};

ReplayOutcome replay(const ReplayParameters& parameters, Discipline discipline);
// The outcome with what it is the outcome of; keys as the members.
json::object to_json(const ReplayParameters& parameters, Discipline discipline, const ReplayOutcome& outcome);

// In hours: of every request, of each session's first, and how long its user had got nothing at all.
struct ReplayWaits {
    std::vector<double> all, first, without;
};
// What they come to, against the outcome's bound.
void measure_waits(ReplayOutcome& outcome, ReplayWaits waits);
// (Σx)² / (n·Σx²): 1 when all are equal, 1/n when one has everything.
double jain_index(const std::vector<double>& values);
// An equal division of `total` in which nobody gets more than they want.
std::vector<double> fair_parts(const std::vector<double>& wanted, double total);

}  // namespace berth::gpu
