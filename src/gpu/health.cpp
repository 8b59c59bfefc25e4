#include "gpu/health.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace berth::gpu {
namespace {

struct Row {
    std::uint32_t number;
    Xid xid;
};

constexpr std::array kXids{
    Row{13, {XidAction::program, "a program made an invalid access or instruction"}},
    Row{31, {XidAction::program, "a program used memory that is not its own"}},
    Row{43, {XidAction::program, "a program's work was stopped after a fault"}},
    Row{45, {XidAction::program, "a program was ended and its work cleaned up"}},
    Row{48, {XidAction::unhealthy, "memory errors that could not be corrected"}},
    Row{63, {XidAction::drain, "a bad piece of memory was set aside; a reset completes it"}},
    Row{64, {XidAction::unhealthy, "a bad piece of memory could not be set aside"}},
    Row{68, {XidAction::program, "the video decoder met a fault of a program"}},
    Row{74, {XidAction::unhealthy, "an error on the link to another GPU"}},
    Row{79, {XidAction::gone, "it has fallen off the bus"}},
    Row{92, {XidAction::unhealthy, "very many memory errors"}},
    Row{94, {XidAction::restart, "a memory error that met one program only; start it anew"}},
    Row{95, {XidAction::unhealthy, "a memory error that may have met every program"}},
    Row{109, {XidAction::program, "a program did not give way in time"}},
    Row{119, {XidAction::unhealthy, "its firmware does not answer"}},
    Row{120, {XidAction::unhealthy, "its firmware met an error"}}};

bool is_sick(const DeviceStatus& device) {
    return device.health == Health::unhealthy || device.health == Health::gone;
}

std::string text_for_holder(const std::vector<const DeviceStatus*>& sick, std::size_t held) {
    std::string text =
        held == 1 ? std::string("Your GPU is out of order: ")
                  : std::to_string(sick.size()) + " of your " + std::to_string(held) + " GPUs out of order: ";
    for (std::size_t i = 0; i < sick.size(); ++i) {
        text.append(i > 0 ? "; " : "").append(sick[i]->row.uuid.value);
        if (!sick[i]->health_detail.empty()) text.append(" (").append(sick[i]->health_detail).append(")");
    }
    text.append(". Save your work; ");
    return text.append(
        held == 1 ? "a new start gets another GPU."
                  : "a program over all of them may hang. A new start gets others.");
}

}  // namespace

Xid xid_of(std::uint32_t number) {
    for (const Row& row : kXids) {
        if (row.number == number) return row.xid;
    }
    return {XidAction::unhealthy, "an error that the driver only numbers"};
}

bool faults_make_suspect(const DeviceUuid& device, const std::vector<XidReport>& reports, Timestamp now) {
    std::size_t faults = 0;
    std::set<UserId> users;
    for (const XidReport& report : reports) {
        const bool counts =
            report.device == device && report.at <= now && now - report.at < std::chrono::hours(1);
        if (!counts || xid_of(report.number).action != XidAction::program) continue;
        ++faults;
        if (report.user) users.insert(*report.user);
    }
    return faults >= kFaultsOfSuspect && users.size() >= 2;
}

std::vector<SickLease> sick_leases(
    const std::map<LeaseId, store::LeaseRow>& leases, const std::vector<DeviceStatus>& devices) {
    std::vector<SickLease> all;
    for (const auto& [id, row] : leases) {
        std::vector<const DeviceStatus*> sick;
        for (const DeviceStatus& device : devices) {
            const bool held =
                std::find(row.devices.begin(), row.devices.end(), device.row.uuid) != row.devices.end();
            if (held && is_sick(device)) sick.push_back(&device);
        }
        if (sick.empty()) continue;
        SickLease& lease = all.emplace_back();
        lease.lease = id;
        for (const DeviceStatus* device : sick)
            lease.sick.push_back(device->row.uuid);
        lease.text = text_for_holder(sick, row.devices.size());
    }
    return all;
}

std::optional<std::string> machine_trouble(const std::optional<AgentError>& error) {
    if (!error || error->reason != "version_mismatch") return std::nullopt;
    return "The NVIDIA driver and its library are of different versions, so no GPU is given out. Start the "
           "machine anew; what runs is left alone.";
}

}  // namespace berth::gpu
