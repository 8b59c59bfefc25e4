// Reservations as future leases (gpu.md E.1): which devices are kept for whom, and when. The devices are
// chosen anew from the state each time, first those that are free by then, from the end of the device order;
// a grant that respects the answer never changes it for the worse (I17).
#pragma once

#include "gpu/scheduler_state.hpp"

#include <vector>

namespace berth::gpu {

struct ReservedSpan {
    std::size_t reservation = 0;  // place in SchedulerState::reservations
    Timestamp begin{};
    Timestamp end{};
};

// By place in the device order; spans that have ended are left out.
std::vector<std::vector<ReservedSpan>> reserved_spans(const SchedulerState& state, Timestamp now);

// When everything that is on each device now is over, by place in the device order.
std::vector<Timestamp> ends_of_devices(const SchedulerState& state, Timestamp now);

// Its owner's lease that lasts into the reserved time: it counts towards the reservation.
bool counts_towards(const Reservation& reservation, const Holding& lease, Timestamp now);

}  // namespace berth::gpu
