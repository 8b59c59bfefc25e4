#include "api/gpu_names.hpp"

#include <algorithm>

namespace berth::api {
namespace {

constexpr std::string_view kOpen = "open";

const std::string& privacy_of(const config::GpuOptions& options, const store::DeviceRow& device) {
    const auto named = [](const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const auto& pool : options.pools) {
        if (named(pool.devices, device.uuid.value)) return pool.privacy;
    }
    for (const auto& pool : options.pools) {
        if (named(pool.models, device.name)) return pool.privacy;
    }
    return options.privacy;
}

}  // namespace

bool manages_gpus(const access::Principal& who) {
    return who.scopes().has_everywhere("gpu:admin");
}

bool sees_holders(const Dependencies& hub, const access::Principal& who, const store::DeviceRow& device) {
    return manages_gpus(who) || privacy_of(hub.options.gpu, device) == kOpen;
}

bool sees_holder(
    const Dependencies& hub,
    const access::Principal& who,
    const DeviceUuid& device,
    const std::optional<UserId>& holder) {
    if (holder && who.user == holder) return true;
    const auto* known = hub.inventory.find(device);
    if (known != nullptr) return sees_holders(hub, who, known->row);
    return manages_gpus(who);  // of a device that is gone nobody can say whose pool it was
}

bool sees_who_waits(const Dependencies& hub, const access::Principal& who, const identity::User& user) {
    const auto& options = hub.options.gpu;
    const bool all_open =
        options.privacy == kOpen &&
        std::ranges::all_of(options.pools, [](const auto& pool) { return pool.privacy == kOpen; });
    return all_open || who.is(user.name()) || manages_gpus(who);
}

}  // namespace berth::api
