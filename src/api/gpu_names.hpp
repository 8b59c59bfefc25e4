// Whose names show on the board: those of an open pool to everybody who may see GPUs; those of a pool that
// only counts to administrators and to the holders themselves (gpu.privacy, gpu.pools[].privacy). Pure.
#pragma once

#include "api/call.hpp"

namespace berth::api {

// Who holds `device`, or held it.
bool sees_holders(const Dependencies& hub, const access::Principal& who, const store::DeviceRow& device);
bool sees_holder(
    const Dependencies& hub,
    const access::Principal& who,
    const DeviceUuid& device,
    const std::optional<UserId>& holder);
// That `user` waits, for whichever devices.
bool sees_who_waits(const Dependencies& hub, const access::Principal& who, const identity::User& user);
// gpu:admin.
bool manages_gpus(const access::Principal& who);

}  // namespace berth::api
