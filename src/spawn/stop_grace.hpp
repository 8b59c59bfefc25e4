// How long a server may take to end itself before it is killed: spawn.stop_timeout, and less when the
// caller's deadline is nearer. What is left after it is for killing, removing and for seeing that it is gone.
// Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace berth::spawn {

inline constexpr std::chrono::seconds kTimeToRemove{10};

// Whole seconds, as the engine's API wants them.
constexpr std::chrono::seconds stop_grace(std::chrono::seconds stop_timeout, std::chrono::milliseconds left) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    return std::min(stop_timeout, std::max(whole - kTimeToRemove, whole / 2));
}

}  // namespace berth::spawn
