// How busy each device was of late: the readings of its utilisation, smoothed over a minute (gpu.md E.3, τ =
// 60 s), for the policy that goes by load. Pure; the caller brings the time.
#pragma once

#include "base/ids.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <unordered_map>

namespace berth::hub {

class GpuLoads {
public:
    using Steady = std::chrono::steady_clock::time_point;

    // The newest reading; returns what it comes to. The first one counts as it is.
    std::uint32_t see(const DeviceUuid& device, std::uint32_t percent, Steady now) {
        const auto [at, first] = loads_.try_emplace(device, Load{static_cast<double>(percent), now});
        Load& load = at->second;
        if (!first) {
            const double passed = std::chrono::duration<double>(now - load.seen).count();
            const double kept = std::exp(-passed / 60);
            load = {kept * load.percent + (1 - kept) * percent, now};
        }
        return static_cast<std::uint32_t>(std::lround(load.percent));
    }

private:
    struct Load {
        double percent = 0;
        Steady seen{};
    };
    std::unordered_map<DeviceUuid, Load> loads_;
};

}  // namespace berth::hub
