// What the GPU agent says: one JSON document a line on its stdout. The agent writes these, the hub reads
// them; the two are one binary but may be two versions of it during an upgrade, so unknown members are passed
// over.
#pragma once

#include "base/json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace berth::gpu {

struct GpuProcess {
    std::uint32_t pid = 0;                    // of the host's pid namespace
    std::optional<std::uint64_t> used_bytes;  // nothing: the driver does not know
    std::string name;                         // "" when /proc does not show it
    std::string container;    // 64 hex digits from its cgroup; "" when it is in none (gpu.md B.6)
    std::string user = {};    // whose it is, as this machine names them; "" when that cannot be seen
    std::string server = {};  // "INSTANCE/NUMBER" of the local spawner's mark on it or an ancestor; "" none
};

// How one device reaches another.
struct DeviceLink {
    std::uint32_t nvlinks = 0;  // between the two; behind a switch, as many as both have to it
    std::uint32_t level = 0;    // nvmlGpuTopologyLevel_t of their common ancestor; 0 of a device with itself
    bool operator==(const DeviceLink&) const = default;
};

struct DeviceReading {
    std::string uuid;
    std::string name;
    std::string pci_bus_id;
    std::optional<std::uint32_t> index;  // NVML's; may change over reboots
    std::optional<std::uint32_t> minor;  // /dev/nvidia<minor>
    std::uint64_t memory_bytes = 0;
    std::optional<std::uint64_t> used_bytes;
    std::optional<std::uint32_t> utilisation_percent;
    std::optional<std::uint32_t> temperature_celsius;
    std::optional<std::uint32_t> power_milliwatts;
    std::optional<std::uint64_t> energy_millijoules = std::nullopt;  // since the driver was loaded
    std::vector<GpuProcess> processes;
    std::vector<DeviceLink> links = {};  // to the device of each NVML index; empty: not told
    std::string fault;  // "" healthy, else what NVML said of it ("GPU is lost", "reset required", …)
};

struct AgentSnapshot {
    std::string driver_version;
    std::vector<DeviceReading> devices;  // in NVML's order
};

// The agent runs, NVML does not answer: library missing, no driver, versions that do not match, …
struct AgentError {
    std::string
        reason;    // "library_missing" | "symbol_missing" | "driver_not_loaded" | "version_mismatch" | "nvml"
    int code = 0;  // nvmlReturn_t where there is one
    std::string message;  // a sentence for the administrator
};

using AgentReport = std::variant<AgentSnapshot, AgentError>;

std::string to_line(const AgentReport& report);  // without the newline
std::optional<AgentReport> parse_agent_line(std::string_view line);

}  // namespace berth::gpu
