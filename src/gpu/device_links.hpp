// The links that NVML shows, in the scheduler's terms (gpu.md E.3). Pure.
#pragma once

#include "gpu/devices.hpp"
#include "gpu/queue_types.hpp"

#include <vector>

namespace berth::gpu {

// w(a, b) of gpu.md E.3: 100 for each NVLink, and by how near the two are on PCIe, 10 to 60.
std::uint32_t weight_of(const DeviceLink& link);

// Fills in `links` and `board`. `inventory` has the same devices in the same order. A board is whoever meets
// at the closest level at which anybody here has a neighbour: the card, the switches, the host bridge or the
// NUMA node. What the readings do not tell stays as it is for `links`, and shares its board with nobody.
void set_links(std::vector<ScheduledDevice>& devices, const std::vector<DeviceStatus>& inventory);

}  // namespace berth::gpu
