#include "gpu/policy.hpp"

#include "gpu/topology.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace berth::gpu {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// The key that is compared; smallest wins, the device order decides last.
struct Ranked {
    std::int64_t first = 0;
    std::int64_t second = 0;
    std::int64_t third = 0;
    std::uint32_t order = 0;
    auto operator<=>(const Ranked&) const = default;
};

constexpr std::array kNames{
    std::pair{Policy::least_allocated, std::string_view("least-allocated")},
    std::pair{Policy::pack, std::string_view("pack")},
    std::pair{Policy::spread, std::string_view("spread")},
    std::pair{Policy::round_robin, std::string_view("round-robin")},
    std::pair{Policy::lru, std::string_view("lru")},
    std::pair{Policy::affinity, std::string_view("affinity")},
    std::pair{Policy::load, std::string_view("load")},
    std::pair{Policy::topology, std::string_view("topology")}};

std::int64_t released_at(const Candidate& candidate) {
    return candidate.last_release ? candidate.last_release->time_since_epoch().count()
                                  : std::numeric_limits<std::int64_t>::min();
}

// Utilisation rises only some time after a grant; until then the device counts as fully busy, so that a
// crowd of requests does not land on the one that looked idle.
std::uint32_t load_bucket(const Candidate& candidate, Timestamp now) {
    const bool fresh = candidate.last_grant && now - *candidate.last_grant < seconds(60);
    return fresh ? 10 : std::min(candidate.load_percent, 100U) / 10;
}

Ranked rank(const Choice& choice, const Candidate& each) {
    Ranked key{.order = each.order};
    switch (choice.policy) {
        case Policy::least_allocated:
        case Policy::topology:
            key.first = each.leases;
            break;
        case Policy::pack:
            key.first = -static_cast<std::int64_t>(each.leases);
            break;
        case Policy::spread:
            key.first = each.neighbours;
            key.second = each.leases;
            break;
        case Policy::round_robin:
            key.first = each.order >= choice.cursor ? 0 : 1;
            break;
        case Policy::lru:
            key.first = released_at(each);
            break;
        case Policy::affinity: {
            const bool mine =
                each.last_used_by_asker && each.last_release && choice.now - *each.last_release <= hours(24);
            key.first = mine ? 0 : 1;
            key.second = released_at(each);
            break;
        }
        case Policy::load:
            key.first = load_bucket(each, choice.now);
            key.second = std::min(each.memory_percent, 100U) / 10;
            key.third = each.leases;
            break;
    }
    return key;
}

}  // namespace

std::string_view name_of(Policy policy) {
    for (const auto& [each, name] : kNames) {
        if (each == policy) return name;
    }
    return "unknown";
}

std::optional<Policy> policy_named(std::string_view name) {
    for (const auto& [policy, each] : kNames) {
        if (each == name) return policy;
    }
    return std::nullopt;
}

std::vector<std::uint32_t> choose(const Choice& choice, std::span<const Candidate> candidates) {
    if (choice.policy == Policy::topology && choice.link && candidates.size() > choice.count) {
        return choose_by_links(choice, candidates);
    }
    if (choice.count == 1 && !candidates.empty()) {
        Ranked first = rank(choice, candidates.front());
        for (const Candidate& each : candidates.subspan(1))
            first = std::min(first, rank(choice, each));
        return {first.order};
    }
    std::vector<Ranked> ranked;
    ranked.reserve(candidates.size());
    for (const Candidate& each : candidates)
        ranked.push_back(rank(choice, each));
    const auto wanted = std::min<std::size_t>(choice.count, ranked.size());
    std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(wanted), ranked.end());
    std::vector<std::uint32_t> chosen;
    chosen.reserve(wanted);
    for (std::size_t i = 0; i < wanted; ++i)
        chosen.push_back(ranked[i].order);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

std::uint32_t cursor_after(std::uint32_t cursor, std::span<const std::uint32_t> granted) {
    // The last one in the direction of travel: below the cursor means the walk has wrapped around.
    std::optional<std::uint32_t> wrapped, ahead;
    for (const std::uint32_t order : granted)
        (order < cursor ? wrapped : ahead) = order;
    if (wrapped) return *wrapped + 1;
    return ahead ? *ahead + 1 : cursor;
}

}  // namespace berth::gpu
