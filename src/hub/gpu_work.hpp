// Which servers use their GPUs, from the agent's readings. A reading counts as work when the device is used
// above a threshold, or when a process of the server takes more of its memory than it did. On a shared device
// only what the server's own processes do counts. Hub strand only.
#pragma once

#include "hub/context.hpp"

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::hub {

// What one server was seen to hold on one device: bytes by process.
using HeldMemory = std::map<std::uint32_t, std::uint64_t>;

struct GpuShare {
    std::string container;  // the server's, as the agent names it; "" for a process of this machine
    bool alone = true;      // nobody else holds a lease on the device
};
// Pure. `held` is of the reading before (none: this is the first) and is brought up to date.
bool works(
    const gpu::DeviceReading& reading,
    const GpuShare& share,
    std::uint32_t busy_percent,
    std::optional<HeldMemory>& held);

class GpuWork {
public:
    explicit GpuWork(Context& context) : context_(context) {}

    // The inventory has just taken a report: servers that work now.
    std::vector<ServerId> take_readings();
    // Its devices were read once, and the readings are old now: whether it works cannot be known.
    bool unknown(const Server& server) const;

private:
    Context& context_;
    std::unordered_map<std::int64_t, std::map<DeviceUuid, std::optional<HeldMemory>>> held_;  // by lease
};

}  // namespace berth::hub
