#include "gpu/replay.hpp"

#include <algorithm>

namespace berth::gpu {
namespace {

double quantile(const std::vector<double>& sorted, double part) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

std::string_view name_of(Discipline discipline) {
    switch (discipline) {
        case Discipline::hold_until_logout:
            return "hold-until-logout";
        case Discipline::first_come:
            return "first-come-exclusive";
        case Discipline::berth:
            return "berth";
    }
    return "unknown";
}

json::object to_json(
    const ReplayParameters& parameters, Discipline discipline, const ReplayOutcome& outcome) {
    return {
        {"discipline", name_of(discipline)},
        {"demand", parameters.demand},
        {"seed", parameters.seed},
        {"sessions", outcome.sessions},
        {"served", outcome.served},
        {"finished", outcome.finished},
        {"requests", outcome.requests},
        {"work_wanted_hours", outcome.work_wanted_hours},
        {"work_done_hours", outcome.work_done_hours},
        {"wait_median_hours", outcome.wait_median_hours},
        {"wait_p90_hours", outcome.wait_p90_hours},
        {"wait_max_hours", outcome.wait_max_hours},
        {"first_wait_median_hours", outcome.first_wait_median_hours},
        {"bound_hours", outcome.bound_hours},
        {"past_bound", outcome.past_bound},
        {"longest_without_hours", outcome.longest_without_hours},
        {"requests_past_bound", outcome.requests_past_bound},
        {"jain", outcome.jain},
        {"jain_of_fraction", outcome.jain_of_fraction},
        {"held_share", outcome.held_share},
        {"busy_share", outcome.busy_share},
        {"reclaimed_idle", outcome.reclaimed_idle},
        {"ended_at_work", outcome.ended_at_work}};
}

void measure_waits(ReplayOutcome& outcome, ReplayWaits waits) {
    std::sort(waits.all.begin(), waits.all.end());
    std::sort(waits.first.begin(), waits.first.end());
    std::sort(waits.without.begin(), waits.without.end());
    outcome.wait_median_hours = quantile(waits.all, 0.5);
    outcome.wait_p90_hours = quantile(waits.all, 0.9);
    outcome.wait_max_hours = quantile(waits.all, 1);
    outcome.first_wait_median_hours = quantile(waits.first, 0.5);
    outcome.longest_without_hours = quantile(waits.without, 1);
    const auto past_bound = [&](const std::vector<double>& sorted) {
        const auto first = std::upper_bound(sorted.begin(), sorted.end(), outcome.bound_hours);
        return static_cast<std::uint64_t>(sorted.end() - first);
    };
    outcome.past_bound = past_bound(waits.without);
    outcome.requests_past_bound = past_bound(waits.all);
}

double jain_index(const std::vector<double>& values) {
    double sum = 0, squares = 0;
    for (const double value : values) {
        sum += value;
        squares += value * value;
    }
    return squares > 0 ? sum * sum / (static_cast<double>(values.size()) * squares) : 1;
}

std::vector<double> fair_parts(const std::vector<double>& wanted, double total) {
    std::vector<std::pair<double, std::size_t>> ascending;
    for (std::size_t i = 0; i < wanted.size(); ++i)
        ascending.emplace_back(wanted[i], i);
    std::sort(ascending.begin(), ascending.end());
    std::vector<double> parts(wanted.size());
    auto left = static_cast<double>(ascending.size());
    for (const auto& [want, i] : ascending) {
        parts[i] = std::min(want, total / left);
        total -= parts[i];
        --left;
    }
    return parts;
}

}  // namespace berth::gpu
