#include "hub/gpu_work.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

// Less is noise of the driver.
constexpr std::uint64_t kGrowth = 1024 * 1024;

bool is_of(const gpu::GpuProcess& process, const GpuShare& share) {
    return share.alone || process.container == share.container;
}

std::string container_of(const Server& server) {
    const auto* state = server.row.spawn_state.if_object();
    return state == nullptr ? std::string() : string_at(*state, "object_id").value_or("");
}

}  // namespace

bool works(
    const gpu::DeviceReading& reading,
    const GpuShare& share,
    std::uint32_t busy_percent,
    std::optional<HeldMemory>& held) {
    HeldMemory now;
    for (const auto& process : reading.processes) {
        if (is_of(process, share)) now[process.pid] = process.used_bytes.value_or(0);
    }
    const auto before = std::exchange(held, now);
    const bool busy = reading.utilisation_percent.value_or(0) >= busy_percent;
    if (busy && (share.alone || !now.empty())) return true;
    if (!before) return false;
    return std::any_of(now.begin(), now.end(), [&](const auto& process) {
        const auto was = before->find(process.first);
        return was == before->end() || process.second >= was->second + kGrowth;
    });
}

std::vector<ServerId> GpuWork::take_readings() {
    std::vector<ServerId> at_work;
    if (context_.inventory.stale_since()) return at_work;
    std::erase_if(held_, [&](const auto& each) {
        return context_.leases.find(static_cast<LeaseId>(each.first)) == nullptr;
    });
    for (const auto& [id, lease] : context_.leases.all()) {
        const auto server = lease.server ? context_.servers.find(*lease.server) : nullptr;
        if (!server || !server->ready()) continue;
        bool any = false;
        for (const auto& uuid : lease.devices) {
            const auto* device = context_.inventory.find(uuid);
            if (device == nullptr || !device->reading) continue;
            const GpuShare share{container_of(*server), context_.leases.on_device(uuid).size() == 1};
            any |= works(
                *device->reading, share, context_.options.cull.gpu_busy_percent, held_[number_of(id)][uuid]);
        }
        if (any) at_work.push_back(server->row.id);
    }
    return at_work;
}

bool GpuWork::unknown(const Server& server) const {
    if (!context_.options.gpu.agent || server.devices.empty()) return false;
    const bool stale = context_.inventory.stale_since().has_value();
    return std::any_of(server.devices.begin(), server.devices.end(), [&](const auto& uuid) {
        const auto* device = context_.inventory.find(uuid);
        // A device that NVML never showed has no reading to wait for: what the notebook says must do.
        if (device == nullptr) return false;
        return device->reading ? stale : device->row.source == "nvml";
    });
}

}  // namespace berth::hub
