#include "gpu/replay_trace.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace berth::gpu {
namespace {

using Duration = Timestamp::duration;
using std::chrono::hours;

enum class ReplayErrc { bad_parameter = 1 };
std::string_view text_of(ReplayErrc) {
    return "a parameter of the replay is wrong";
}
BERTH_ERROR_CATEGORY(ReplayErrc, "replay")

// splitmix64: the standard library's distributions differ between implementations.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1.0p-53; }  // in (0, 1)
    double normal() {
        return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
    }
    double log_normal(double median, double sigma) { return median * std::exp(sigma * normal()); }
    double exponential() { return -std::log(uniform()); }

private:
    std::uint64_t state_;
};

Duration of_hours(double value) {
    return Duration(static_cast<std::int64_t>(value * 3.6e9));
}

// Place of `point` among weights that add up to `sums.back()`.
std::size_t pick(const std::vector<double>& sums, double point) {
    const auto at = std::upper_bound(sums.begin(), sums.end(), point * sums.back());
    return static_cast<std::size_t>(std::min(at, sums.end() - 1) - sums.begin());
}

std::vector<double> running_sums(std::vector<double> weights) {
    double sum = 0;
    for (double& weight : weights)
        weight = sum += weight;
    return weights;
}

// Idle time and work each divided at random into as many parts as there are periods.
void fill(ReplaySession& session, double length, const ReplayParameters& parameters, Chance& chance) {
    std::size_t periods = 1;
    const double more = 1 - 1 / std::max(parameters.work_periods_mean, 1.0);
    while (periods < 20 && chance.uniform() < more)
        ++periods;
    std::vector<double> work(periods), idle(periods);
    double work_sum = 0, idle_sum = 0;
    for (std::size_t i = 0; i < periods; ++i) {
        work_sum += work[i] = chance.exponential();
        idle_sum += idle[i] = chance.exponential();
    }
    for (std::size_t i = 0; i < periods; ++i) {
        const double before = i == 0 ? 0 : idle[i - 1] / idle_sum * length * parameters.idle_share;
        const double at_work = work[i] / work_sum * length * (1 - parameters.idle_share);
        session.work.push_back({.idle_before = of_hours(before), .length = of_hours(at_work)});
    }
    session.idle_after = of_hours(idle.back() / idle_sum * length * parameters.idle_share);
}

struct Bound {
    double ReplayParameters::* member;
    std::string_view name;
    double least;
    double most;
};

constexpr std::array kBounds{
    Bound{&ReplayParameters::demand, "demand", 0.01, 100},
    Bound{&ReplayParameters::idle_share, "idle_share", 0, 0.99},
    Bound{&ReplayParameters::length_median_hours, "length_median_hours", 0.01, 1000},
    Bound{&ReplayParameters::length_sigma, "length_sigma", 0, 3},
    Bound{&ReplayParameters::length_max_hours, "length_max_hours", 0.1, 1000},
    Bound{&ReplayParameters::work_periods_mean, "work_periods_mean", 1, 20},
    Bound{&ReplayParameters::activity_sigma, "activity_sigma", 0, 3},
    Bound{&ReplayParameters::patience_median_hours, "patience_median_hours", 0.01, 10'000},
    Bound{&ReplayParameters::patience_sigma, "patience_sigma", 0, 3},
    Bound{&ReplayParameters::weekend_factor, "weekend_factor", 0, 10},
    Bound{&ReplayParameters::lease_hours, "lease_hours", 0.1, 1000},
    Bound{&ReplayParameters::reclaim_idle_minutes, "reclaim_idle_minutes", 0, 10'000},
    Bound{&ReplayParameters::warning_minutes, "warning_minutes", 0, 10'000},
    Bound{&ReplayParameters::age_max_hours, "age_max_hours", 0, 10'000},
    Bound{&ReplayParameters::retry_minutes, "retry_minutes", 1, 10'000}};

Error wrong(std::string_view name) {
    std::string message("The replay's parameter ");
    return replay_error(message.append(name).append(" is unknown, no number or out of bounds."));
}

Result<double> number_in(const json::value& value, std::string_view name, double least, double most) {
    if (!value.is_number()) return wrong(name);
    const double number = value.to_number<double>();
    if (!(number >= least && number <= most)) return wrong(name);
    return number;
}

Result<void> take_count(std::uint32_t& count, const json::value& value, std::string_view name, double most) {
    BERTH_TRY(const double number, number_in(value, name, 1, most));
    count = static_cast<std::uint32_t>(number);
    return {};
}

Result<void> take(ReplayParameters& parameters, std::string_view name, const json::value& value) {
    for (const Bound& bound : kBounds) {
        if (bound.name != name) continue;
        BERTH_TRY(parameters.*bound.member, number_in(value, name, bound.least, bound.most));
        return {};
    }
    if (name == "users") return take_count(parameters.users, value, name, 100'000);
    if (name == "devices") return take_count(parameters.devices, value, name, 256);
    if (name == "days") return take_count(parameters.days, value, name, 366);
    if (name == "seed") {
        BERTH_TRY(const double number, number_in(value, name, 0, 1e15));
        parameters.seed = static_cast<std::uint64_t>(number);
        return {};
    }
    if (name != "day" || !value.is_array() || value.as_array().size() != 24) return wrong(name);
    for (std::size_t hour = 0; hour < 24; ++hour) {
        BERTH_TRY(parameters.day[hour], number_in(value.as_array()[hour], name, 0, 1000));
    }
    return {};
}

}  // namespace

Error replay_error(std::string message) {
    return {ReplayErrc::bad_parameter, std::move(message)};
}

Result<ReplayParameters> parse_replay(const json::value& file) {
    if (!file.is_object()) return wrong("file");
    ReplayParameters parameters;
    for (const auto& [name, value] : file.as_object()) {
        if (auto taken = take(parameters, name, value); !taken) return taken.error();
    }
    return parameters;
}

Timestamp replay_begin() {
    return Timestamp(hours(24 * 4));  // 1970-01-05, a Monday
}

std::vector<ReplaySession> replay_trace(const ReplayParameters& parameters) {
    Chance chance(parameters.seed);
    std::vector<double> week, users;
    for (std::size_t hour = 0; hour < 168; ++hour)
        week.push_back(parameters.day[hour % 24] * (hour >= 120 ? parameters.weekend_factor : 1));
    std::vector<double> all_hours;
    for (std::size_t hour = 0; hour < 24UL * parameters.days; ++hour)
        all_hours.push_back(week[hour % 168]);
    for (std::uint32_t user = 0; user < parameters.users; ++user)
        users.push_back(chance.log_normal(1, parameters.activity_sigma));
    const auto hour_sums = running_sums(std::move(all_hours));
    const auto user_sums = running_sums(std::move(users));

    const double capacity = 24.0 * parameters.days * parameters.devices;
    double asked = 0;
    std::vector<ReplaySession> sessions;
    while (asked < parameters.demand * capacity) {
        const double length = std::min(
            chance.log_normal(parameters.length_median_hours, parameters.length_sigma),
            parameters.length_max_hours);
        asked += length;
        const auto hour = static_cast<double>(pick(hour_sums, chance.uniform()));
        ReplaySession session;
        session.user = UserId{static_cast<std::int64_t>(pick(user_sums, chance.uniform())) + 1};
        session.arrives = replay_begin() + of_hours(hour + chance.uniform());
        session.patience =
            of_hours(chance.log_normal(parameters.patience_median_hours, parameters.patience_sigma));
        fill(session, length, parameters, chance);
        sessions.push_back(std::move(session));
    }
    std::stable_sort(
        sessions.begin(), sessions.end(), [](const auto& a, const auto& b) { return a.arrives < b.arrives; });
    return sessions;
}

}  // namespace berth::gpu
