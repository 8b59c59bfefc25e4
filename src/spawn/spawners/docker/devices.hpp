// Are the devices inside a container those of its lease, and none when it has no lease (gpu.md A.10)? The
// engine's echo of our own request proves little: engines drop requests, fall back to other ways, read stale
// CDI files. So what the running process has is looked at too, wherever the hub may see it.
#pragma once

#include "spawn/spawners/docker/containers.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace berth::spawn::docker {

struct Evidence {
    std::string
        process_environment;    // of the running process, where the hub may read it; the last entry counts
    bool cdi_possible = false;  // engines that hand GPUs out by CDI set NVIDIA_VISIBLE_DEVICES to "void"
    bool simulated = false;     // the environment alone will do
    // "/dev/nvidia0" and its like that the running process finds; empty: it cannot be seen from here.
    std::optional<std::set<std::string>> nodes_inside;
    std::set<std::string> nodes_on_host;
    bool driver_on_host = false;
};

// A device of its own, unlike /dev/nvidiactl and /dev/nvidia-uvm, which all share.
bool is_gpu_node(std::string_view path);

// Error: devices_differ, with both sets as detail. Pure.
Result<void> compare_devices(const StartPlan& plan, const Inspected& container, const Evidence& evidence);

// Adds to `evidence` what this machine's /proc and /dev tell about a container of an engine that runs here;
// nothing where the hub may not look (it is not root, or sits in a container itself). Blocking, though short.
void look_inside(const Inspected& container, Evidence& evidence);

}  // namespace berth::spawn::docker
