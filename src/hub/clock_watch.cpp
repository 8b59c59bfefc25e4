#include "hub/clock_watch.hpp"

#include <ctime>

namespace berth::hub {

using namespace std::chrono_literals;

std::chrono::microseconds since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::microseconds(now.tv_nsec / 1000);
}

std::optional<std::chrono::microseconds> ClockWatch::jump(Timestamp wall, std::chrono::microseconds boot) {
    const auto moved = (wall - wall_) - (boot - boot_);
    wall_ = wall;
    boot_ = boot;
    if (moved > -1min && moved < 1min) return std::nullopt;
    quiet_since_ = boot;
    return moved;
}

}  // namespace berth::hub
