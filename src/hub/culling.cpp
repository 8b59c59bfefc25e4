#include "hub/culling.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace berth::hub {
namespace {

using std::chrono::duration_cast;

// 0 is no limit, and there is nothing more generous.
seconds more_generous_limit(seconds one, seconds other) {
    return one.count() == 0 || other.count() == 0 ? seconds{0} : std::max(one, other);
}

template <class Value, class Better>
void take(std::optional<Value>& best, const std::optional<Value>& offered, Better better) {
    if (!offered) return;
    best = best ? better(*best, *offered) : *offered;
}

void take_rule(config::CullRule& best, const config::CullRule& rule) {
    take(best.idle, rule.idle, more_generous_limit);
    take(best.max_age, rule.max_age, more_generous_limit);
    auto greater = [](const auto& one, const auto& other) { return std::max(one, other); };
    take(best.warning, rule.warning, greater);
    take(best.extension, rule.extension, greater);
    take(best.max_extensions, rule.max_extensions, greater);
}

void lay_over(CullPolicy& policy, const config::CullRule& rule) {
    policy.idle = rule.idle.value_or(policy.idle);
    policy.max_age = rule.max_age.value_or(policy.max_age);
    policy.warning = rule.warning.value_or(policy.warning);
    policy.extension = rule.extension.value_or(policy.extension);
    policy.max_extensions = rule.max_extensions.value_or(policy.max_extensions);
}

struct End {
    EndReason why = EndReason::idle;
    seconds limit{0};
    seconds left{0};
};

// The earlier end of the limits that hold; none when none does.
std::optional<End> nearest_end(const CullPolicy& policy, const CullState& state) {
    std::optional<End> nearest;
    if (policy.idle.count() > 0 && !state.use_unknown)
        nearest = End{
            policy.reclaims ? EndReason::reclaim : EndReason::idle, policy.idle, policy.idle - state.idle};
    if (policy.max_age.count() > 0) {
        const auto left = policy.max_age - state.age;
        if (!nearest || left < nearest->left) nearest = End{EndReason::age, policy.max_age, left};
    }
    return nearest;
}

// How long before the end a warning begins. A warning longer than the limit is given in full, but only after
// half of the limit: else people at work would be warned for ever.
seconds lead_of(const CullPolicy& policy, const CullState& state, const End& end) {
    auto lead = std::min(policy.warning, end.limit / 2);
    if (state.kept > end.left) lead = std::min(lead, policy.extension / 2);
    return lead;
}

}  // namespace

CullPolicy policy_for(
    const config::CullOptions& options, const std::string& profile, const std::vector<std::string>& groups) {
    CullPolicy policy{
        options.idle, options.max_age, options.warning, options.extension, options.max_extensions};
    auto in_group = [&](const config::CullRule& rule) {
        return std::find(groups.begin(), groups.end(), rule.group) != groups.end();
    };
    const std::pair<bool, bool> narrower_last[] = {{true, false}, {false, true}, {true, true}};
    for (const auto& [by_profile, by_group] : narrower_last) {
        config::CullRule best;
        for (const auto& rule : options.rules) {
            if (rule.profile.empty() == by_profile || rule.group.empty() == by_group) continue;
            if (by_profile && rule.profile != profile) continue;
            if (by_group && !in_group(rule)) continue;
            take_rule(best, rule);
        }
        lay_over(policy, best);
    }
    return policy;
}

bool sets_limits(const config::CullOptions& options) {
    auto sets = [](const config::CullRule& rule) {
        return rule.idle.value_or(seconds{0}).count() > 0 || rule.max_age.value_or(seconds{0}).count() > 0;
    };
    return options.idle.count() > 0 || options.max_age.count() > 0 ||
           std::any_of(options.rules.begin(), options.rules.end(), sets);
}

std::string_view name_of(EndReason reason) {
    switch (reason) {
        case EndReason::idle:
            return "idle";
        case EndReason::age:
            return "max_age";
        case EndReason::reclaim:
            return "reclaim";
        case EndReason::lease:
            return "lease";
        case EndReason::preempted:
            return "preempted";
        case EndReason::drain:
            return "drain";
    }
    return "unknown";
}

namespace {

CullDecision decide_by_limits(const CullPolicy& policy, const CullState& state) {
    const auto nearest = nearest_end(policy, state);
    if (!nearest) return {};
    const auto why = nearest->why;
    auto left = std::max({nearest->left, state.kept, state.grace});
    if (left > lead_of(policy, state, *nearest)) return {CullDecision::Act::keep, why, left};
    left = std::max(left, policy.warning - state.warned.value_or(seconds{0}));
    return {left.count() <= 0 ? CullDecision::Act::stop : CullDecision::Act::warn, why, left};
}

CullDecision decide_by_lease(const CullPolicy& policy, const CullState& state) {
    auto left = std::max(*state.lease_left, state.grace);
    if (left > kWarnedAt[0]) return {CullDecision::Act::keep, EndReason::lease, left};
    const auto told = std::min(policy.warning, std::end(kWarnedAt)[-1]);
    left = std::max(left, told - state.lease_warned.value_or(seconds{0}));
    const auto act = left.count() <= 0 ? CullDecision::Act::stop : CullDecision::Act::warn;
    return {act, EndReason::lease, left};
}

}  // namespace

CullDecision decide(const CullPolicy& policy, const CullState& state) {
    const auto limits = decide_by_limits(policy, state);
    if (!state.lease_left) return limits;
    const auto lease = decide_by_lease(policy, state);
    if (limits.act != lease.act) return limits.act > lease.act ? limits : lease;
    const bool unlimited = limits.act == CullDecision::Act::keep && limits.left.count() == 0;
    return !unlimited && limits.left <= lease.left ? limits : lease;
}

std::size_t warnings_due(seconds left) {
    return static_cast<std::size_t>(std::count_if(
        std::begin(kWarnedAt), std::end(kWarnedAt), [left](seconds each) { return left <= each; }));
}

LifeClock::LifeClock(
    Timestamp started,
    std::optional<Timestamp> last_activity,
    Timestamp wall,
    Steady now,
    std::optional<seconds> most)
    : seen_(last_activity) {
    auto back = [&](Timestamp since) {
        auto span = std::max(wall - since, std::chrono::microseconds{0});
        if (most) span = std::min<std::chrono::microseconds>(span, *most);
        return now - span;
    };
    born_ = back(started);
    worked_ = std::max(born_, back(last_activity.value_or(started)));
}

void LifeClock::see(std::optional<Timestamp> last_activity, Timestamp wall, Steady now) {
    if (!last_activity || last_activity == seen_) return;
    seen_ = last_activity;
    // Whatever the time of day says, new activity never makes a server idle for longer than it was.
    const auto ago = std::max(wall - *last_activity, std::chrono::microseconds{0});
    worked_ = std::max(worked_, Steady(now - ago));
}

seconds LifeClock::idle(Steady now) const {
    return duration_cast<seconds>(now - worked_);
}

seconds LifeClock::age(Steady now) const {
    return duration_cast<seconds>(now - born_);
}

std::string in_words(seconds span) {
    const auto count = std::max<std::int64_t>(span.count(), 0);
    const auto minutes = count / 60;
    if (count < 120) return std::to_string(count) + " s";
    if (minutes <= 90) return std::to_string(minutes) + " min";
    auto words = [](std::int64_t large, const char* unit, std::int64_t small, const char* small_unit) {
        std::string text = std::to_string(large) + unit;
        return small == 0 ? text : text + " " + std::to_string(small) + small_unit;
    };
    const auto hours = minutes / 60;
    if (hours <= 48) return words(hours, " h", minutes % 60, " min");
    return words(hours / 24, " d", hours % 24, " h");
}

std::string why_it_ends(EndReason reason) {
    switch (reason) {
        case EndReason::idle:
            return "Nothing has been done in it for a while.";
        case EndReason::age:
            return "It has run for as long as it may.";
        case EndReason::reclaim:
            return "Its GPU has not been used for a while, and somebody waits for one.";
        case EndReason::lease:
            return "The time of its GPU is over then.";
        case EndReason::preempted:
            return "Somebody with a better claim waits for its GPU.";
        case EndReason::drain:
            return "Its GPU goes out of service.";
    }
    return {};
}

std::string why_stopped(EndReason reason, const CullPolicy& policy) {
    if (reason == EndReason::idle)
        return "Stopped after " + in_words(policy.idle) + " without activity. Your files are safe.";
    if (reason == EndReason::reclaim)
        return "Stopped because its GPU had not been used for " + in_words(policy.idle) +
               " and somebody was waiting for one. Your files are safe; start it again when you need it.";
    if (reason == EndReason::lease)
        return "Stopped because the time of its GPU was over. Your files are safe; start it again when you "
               "need it.";
    if (reason == EndReason::preempted)
        return "Stopped because its GPU was needed for somebody with a better claim. Your files are safe; "
               "start "
               "it again and it waits for its turn.";
    if (reason == EndReason::drain)
        return "Stopped because its GPU is taken out of service. Your files are safe; start it again to get "
               "another one.";
    return "Stopped because it had run for " + in_words(policy.max_age) +
           ", the longest a server may. Your files are safe; start it again when you need it.";
}

}  // namespace berth::hub
