// How the devices of this machine are linked, as NVML shows it (gpu.md B.4, step 3). The agent process only;
// calls block. A call that this driver lacks or refuses leaves out what it would have said.
#pragma once

#include "gpu/agent_report.hpp"
#include "gpu/nvml.hpp"

#include <vector>

namespace berth::gpu {

// From each handle to each other, in the order given. A null handle (a lost device) has no links. All empty
// when the driver tells no common ancestor, as in a virtual machine.
std::vector<std::vector<DeviceLink>> read_links(
    const nvml::Functions& nvml, const std::vector<nvml::Handle>& handles);

}  // namespace berth::gpu
