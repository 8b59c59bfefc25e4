// When a waiting request starts (gpu.md E.6): the queue is planned through in its order, once with the ends
// that were declared (latest_start: kept if nothing fails and nobody with a better claim comes) and once with
// those that experience says (likely_start). Nothing when a lease in the way has no deadline.
#pragma once

#include "gpu/plan.hpp"
#include "gpu/queue.hpp"

#include <optional>
#include <string>
#include <vector>

namespace berth::gpu {

struct Estimate {
    EntryId entry{};
    std::uint32_t position = 0;  // from 1
    std::optional<Timestamp> latest_start{};
    std::optional<Timestamp> likely_start{};
    std::string quota{};  // the rule that keeps it back, whatever is free
};

std::vector<Estimate> estimate(const SchedulerState& state, const std::vector<Place>& order, Timestamp now);

}  // namespace berth::gpu
