// Section `gpu` of the options: devices, how they are shared, the queue, limits, pools (config/options.hpp).
#pragma once

#include "base/units.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::config {

using std::chrono::seconds;

struct GpuDeviceOptions {
    std::string uuid;
    std::string name;
    std::optional<Bytes> memory;
    std::string path;  // device node for gpu_mode devices, e.g. /dev/nvidia0
};

// What happens to a start for which no GPU is free (gpu.md E.6).
struct GpuQueueOptions {
    bool enabled = true;  // it waits; false: it is refused
    seconds longest_wait{7 * 86400};
    seconds age_max{86400};        // who waited longer goes first in their class
    seconds half_life{7 * 86400};  // of what counts as had of late
    seconds reclaim_idle{3600};    // unused for so long, a GPU goes to who waits; 0: never
};

// What GPUs may be held for, across people and groups; a start names it (gpu.md E.1, E.10).
struct GpuProject {
    std::string name;                 // key
    std::vector<std::string> users;   // who may name it
    std::vector<std::string> groups;  // and whoever is in one of these; nobody when both are empty
};

// A limit on the GPUs of one user, group or project, or of each of them (gpu.md E.5). Names one of the three.
struct GpuQuota {
    std::string user;                   // "*": each user
    std::string group;                  // its members together; "*": each group
    std::string project;                // all that is held for it; "*": each project
    std::string model;                  // counts only GPUs of this name; "": all
    std::string pool;                   // counts only GPUs of this pool; "": all
    std::optional<std::uint32_t> gpus;  // at a time
    std::optional<double> gpu_hours;    // within the last `window`
    seconds window{7 * 86400};
    std::optional<std::uint32_t> waiting;  // starts in the queue at a time
};

// A set of GPUs that starts ask for by name, with rules of its own (gpu.md E.3). A GPU is in the first pool
// that names it, or in the default one, whose name is "".
struct GpuPool {
    std::string name;                  // key
    std::vector<std::string> devices;  // UUIDs
    std::vector<std::string> models;   // and every GPU of these names
    std::string policy = "least_allocated";
    std::string privacy =
        "counts";  // open: everybody sees who holds its GPUs; counts: only how many are free
};

// How long a GPU is somebody's (gpu.md E.7).
struct GpuLeaseOptions {
    seconds length{0};  // it ends then, with its server, unless it is renewed; 0: with its server alone
    seconds longest{7 * 86400};  // from its begin, however often it is renewed; 0: no limit
};

// Taking GPUs back from those who work with them, for others with a better claim (gpu.md E.6).
struct GpuPreemptionOptions {
    bool enabled = false;
    seconds min_runtime{1800};
    std::uint32_t hysteresis_percent = 120;  // so much of what the one who waits had must the holder have had
    seconds grace{600};                      // its people are told so long before
};

struct GpuOptions {
    bool agent = true;  // read devices by NVML
    std::string nvml_library = "libnvidia-ml.so.1";
    std::uint32_t oversubscription = 1;  // k: leases a device may hold
    std::vector<GpuDeviceOptions> devices;
    seconds poll_interval{5};
    seconds facade_lease{3600};  // time to live of leases taken through the allocator façade
    bool simulated = false;      // set by --stand-in-gpus; every page then says so
    GpuQueueOptions queue;
    std::vector<GpuProject> projects;
    std::vector<GpuQuota> quotas;
    std::vector<GpuPool> pools;
    std::string policy = "least_allocated";  // of the default pool
    std::string privacy = "counts";          // of the default pool
    GpuLeaseOptions lease;
    GpuPreemptionOptions preemption;
};

}  // namespace berth::config
