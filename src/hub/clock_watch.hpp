// Notices when the wall clock is set while the hub runs, by comparing it with the time since boot. Deadlines
// that are wall time (leases of the façade, tokens) would all be over at once, or never: whoever ends things
// by them asks here first, and moves what it keeps by what the clock moved. Pure: the caller reads the
// clocks.
#pragma once

#include "base/units.hpp"

#include <chrono>
#include <optional>

namespace berth::hub {

// Time since boot, sleep included: a laptop that slept is no clock that was set.
std::chrono::microseconds since_boot();

class ClockWatch {
public:
    ClockWatch(Timestamp wall, std::chrono::microseconds boot)
        : wall_(wall), boot_(boot), quiet_since_(boot) {}

    // How far the wall clock was set since the last call, when that is more than a minute.
    std::optional<std::chrono::microseconds> jump(Timestamp wall, std::chrono::microseconds boot);
    // Neither the hub has just started nor the clock was just set: for at least so long.
    bool steady_for(std::chrono::microseconds span, std::chrono::microseconds boot) const {
        return boot - quiet_since_ >= span;
    }

private:
    Timestamp wall_;
    std::chrono::microseconds boot_;
    std::chrono::microseconds quiet_since_;
};

}  // namespace berth::hub
