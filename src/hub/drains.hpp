// GPUs that are being emptied (gpu.md E.1, drain): nobody else gets them, who has them is told, and from a
// deadline on, where there is one, their servers are ended (hub/cull.hpp). A drained GPU is cordoned, which
// its row says; why and until when is a setting, written in the same transaction, so that a hub that starts
// goes on with it. Hub strand only.
#pragma once

#include "access/permit.hpp"
#include "hub/context.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace berth::hub {

struct Drain {
    std::string reason;  // for the people; may be ""
    std::optional<Timestamp> deadline;
    // The same by the clock that never jumps.
    std::optional<std::chrono::steady_clock::time_point> ends;
};

class Drains {
public:
    explicit Drains(Context& context) : context_(context) {}

    // What the store holds, at start; blocks. Error: StoreErrc::unavailable.
    Result<void> restore();
    // Errors: DeviceErrc::unknown_device, options_invalid, StoreErrc. Again: replaces reason and deadline.
    awaitable<Result<void>> begin(
        access::Permit permit, DeviceUuid device, std::optional<Timestamp> deadline, std::string reason);
    // Given out again. One that was not drained, but cordoned, too. Errors: unknown_device, StoreErrc.
    awaitable<Result<void>> end(access::Permit permit, DeviceUuid device);

    const Drain* find(const DeviceUuid& device) const;
    bool any() const { return !drains_.empty(); }
    // The first of the server's GPUs to be taken: of its drains the one with the earliest deadline, else any.
    const Drain* of(const Server& server) const;

private:
    awaitable<Result<void>> commit(
        access::Permit permit, DeviceUuid device, std::optional<Drain> drain, std::string action);

    Context& context_;
    std::map<DeviceUuid, Drain> drains_;
};

// What the people of a running server should know of its GPUs, beside an end that is near (Server::ending):
// one is sick, or is being taken out of service. "" when all is well.
std::string gpu_notice(const Server& server, const gpu::Inventory& inventory, const Drains* drains);

}  // namespace berth::hub
