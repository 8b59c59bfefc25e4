// What a sick GPU means for those who have one, and what NVIDIA's Xid numbers say of a GPU (gpu.md B.7, E.8).
// Pure: the hub hands in what it knows and tells people what comes back. Nobody is stopped by any of it.
#pragma once

#include "gpu/agent_report.hpp"
#include "gpu/devices.hpp"
#include "store/rows.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gpu {

// What follows for the device. The first concerns a program alone, as far as one report can tell.
enum class XidAction {
    program,    // a program's own fault: told to its lease, the device stays healthy
    restart,    // the program must be started anew; the device goes on
    drain,      // no new lease; a reset is due once it is empty
    unhealthy,  // no new lease at once, its holders are told, it needs a reset
    gone,       // off the bus: the machine must be started anew
};
struct Xid {
    XidAction action = XidAction::unhealthy;
    std::string_view text;  // for people, without the number
};
// A number that nobody has described is taken for the device's fault.
Xid xid_of(std::uint32_t number);

// One report of the driver on one device.
struct XidReport {
    DeviceUuid device;
    std::uint32_t number = 0;
    Timestamp at{};
    std::optional<UserId> user{};  // whose program it was, if known
};
// The faults of programs on a device within the last hour that make it suspect all the same: so many, of more
// than one user. `reports` in any order.
inline constexpr std::size_t kFaultsOfSuspect = 5;
bool faults_make_suspect(const DeviceUuid& device, const std::vector<XidReport>& reports, Timestamp now);

// A live lease with a device that is unhealthy or gone. All of it is flagged, whatever the others are like: a
// program over several GPUs hangs with the one.
struct SickLease {
    LeaseId lease{};
    std::vector<DeviceUuid> sick;  // in device order
    std::string text;              // for its holder
    bool operator==(const SickLease&) const = default;
};
std::vector<SickLease> sick_leases(
    const std::map<LeaseId, store::LeaseRow>& leases, const std::vector<DeviceStatus>& devices);

// What holds for every GPU of this machine: a driver and a library that do not fit give out nothing until the
// machine was started anew. For the banner; none when all is well, or when only readings are missing.
std::optional<std::string> machine_trouble(const std::optional<AgentError>& error);

}  // namespace berth::gpu
