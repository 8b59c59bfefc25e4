#include "api/gpu_names.hpp"

#include "gpu/pools.hpp"

#include <algorithm>

namespace berth::api {

bool manages_gpus(const access::Principal& who) {
    return who.scopes().has_everywhere("gpu:admin");
}

bool sees_holders(const Dependencies& hub, const access::Principal& who, const store::DeviceRow& device) {
    return manages_gpus(who) || gpu::is_open(hub.options.gpu, gpu::pool_of(hub.options.gpu, device));
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
        gpu::is_open(options, {}) && std::ranges::all_of(options.pools, [&](const auto& pool) {
            return gpu::is_open(options, pool.name);
        });
    return all_open || who.is(user.name()) || manages_gpus(who);
}

}  // namespace berth::api
