// Whether a reservation could be kept, as far as anybody knows now (gpu.md I17): every device it needs must
// be free of leases by its begin and of other reservations within its time. Pure.
#pragma once

#include "gpu/reservations.hpp"

#include <optional>
#include <vector>

namespace berth::gpu {

struct ReservationObstacle {
    enum class Rule {
        beyond_what_exists,  // more devices than there are of that kind
        not_usable,          // too many of them are sick or taken out
        held,                // leases that end too late, or that nobody knows the end of
        reserved,            // other reservations, which could then not be kept either
    };
    Rule rule = Rule::held;
    std::size_t could_have = 0;  // devices that it could be given
    std::vector<LeaseId> leases{};
    std::vector<ReservationId> reservations{};
};

// Nothing when it and all that are kept now can be kept.
std::optional<ReservationObstacle> obstacle_to(
    const SchedulerState& state, const Reservation& wanted, Timestamp now);

}  // namespace berth::gpu
