// Which of the devices with room a request is given (gpu.md E.3). Pure functions of the candidates and the
// request: a total order that always ends in device order, so the same input gives the same answer
// everywhere.
#pragma once

#include "base/units.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace berth::gpu {

enum class Policy {
    least_allocated,  // fewest live leases, first of equals
    pack,             // most live leases: whole devices stay free for those who need them
    spread,           // fewest neighbours on the same board, switch or NUMA group
    round_robin,      // the next after the device granted last
    lru,              // released longest ago
    affinity,         // last used by this user within a day, else lru
    load,             // least used of late; what was granted a moment ago counts as busy
    topology,         // best linked together, while the rest stays well linked
};
std::string_view name_of(Policy policy);
std::optional<Policy> policy_named(std::string_view name);

// One device that has room for the request.
struct Candidate {
    std::uint32_t order = 0;                // its place in the device order; unique
    std::uint32_t leases = 0;               // live ones and external users on it
    std::uint32_t neighbours = 0;           // live leases on devices of the same group, itself included
    std::uint32_t load_percent = 0;         // EWMA of its utilisation
    std::uint32_t memory_percent = 0;       // in use
    std::optional<Timestamp> last_grant{};  // of the newest lease on it
    std::optional<Timestamp> last_release{};
    bool last_used_by_asker = false;  // the last lease that ended on it was the asker's
};

struct Choice {
    Policy policy = Policy::least_allocated;
    std::uint32_t count = 1;
    Timestamp now{};
    std::uint32_t cursor = 0;  // round-robin: the order of the next device; the caller keeps it as state
    // topology: link weight between two devices by their order; symmetric. λ weighs the links that the rest
    // keeps.
    std::uint32_t (*link)(const void* links, std::uint32_t a, std::uint32_t b) = nullptr;
    const void* links = nullptr;
    double lambda = 1;
};

// The orders of `count` candidates, ascending; all of them in the order of choice when fewer exist. The
// candidates come in device order.
std::vector<std::uint32_t> choose(const Choice& choice, std::span<const Candidate> candidates);

// Round-robin: where the cursor stands after this grant.
std::uint32_t cursor_after(std::uint32_t cursor, std::span<const std::uint32_t> granted);

}  // namespace berth::gpu
