// Who holds which device. The allocation core: pure (no I/O, no clock, no randomness), a deterministic function of
// its state and the request, so that the log of requests replays to the same choices (gpu.md E.13: I1, I2, I5, I6,
// I8, I9, I13, I14). Hub strand only. The hub commits every change to the store before anyone is told of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace berth::gpu {

// Why a request does not fit. Each is a rule the refusal's message names.
enum class DeviceErrc {
    no_devices = 1,     // there are none at all
    more_than_exist,    // would never fit
    none_free,          // every device is at its limit: message says how many are in use and what to do
    not_enough_free,    // some are free, fewer than asked for
    not_shareable,      // asked to share, but the factor is 1 or what is free is held exclusively
    unknown_device,
    already_exists,     // a lease of that id
};
std::string_view text_of(DeviceErrc reason);
BERTH_ERROR_CATEGORY(DeviceErrc, "device")

enum class Sharing {
    exclusive,  // alone on each device
    shared,     // with at most k leases on a device, all of them shared
};

struct Device {
    DeviceUuid uuid;
    std::uint32_t capacity = 1;   // k: shared leases it may hold; an exclusive lease needs it empty
    bool eligible = true;         // healthy, not cordoned, still present
};

struct DeviceRequest {
    std::uint32_t count = 1;      // n, all or nothing
    Sharing sharing = Sharing::exclusive;
};

class Ledger {
public:
    // Adds a device at the end of the device order, or changes the one of that uuid (its leases stay).
    void put(Device device);
    // Removes it; false while leases are on it (it is made ineligible instead) or when it is unknown.
    bool remove(const DeviceUuid& uuid);

    // Chooses by (live leases on it, device order) among eligible devices with room; books them under `id`.
    // Errors: no_devices, more_than_exist, none_free, not_enough_free, not_shareable, already_exists.
    Result<std::vector<DeviceUuid>> acquire(LeaseId id, const DeviceRequest& request);
    // Books exactly these devices, over any limit: for leases that exist already (recovery, adoption).
    Result<void> restore(LeaseId id, Sharing sharing, const std::vector<DeviceUuid>& devices);
    // Gives the devices back. False when the id is unknown: releasing twice is releasing once (I9).
    bool release(LeaseId id);

    struct View {
        Device device;
        std::uint32_t leases = 0;
        bool exclusively_held = false;
    };
    std::vector<View> devices() const;  // in device order
    std::optional<View> find(const DeviceUuid& uuid) const;
    std::size_t live_leases() const { return leases_.size(); }
    // Devices on which a request for one would fit now.
    std::uint32_t free_devices(Sharing sharing) const;

private:
    struct Slot {
        Device device;
        std::uint32_t leases = 0;
        bool exclusive = false;
    };
    struct Held {
        Sharing sharing;
        std::vector<std::uint32_t> slots;
    };
    static bool fits(const Slot& slot, Sharing sharing);
    Error refusal(const DeviceRequest& request, std::uint32_t fitting) const;

    std::vector<Slot> slots_;  // device order
    std::unordered_map<DeviceUuid, std::uint32_t> index_;
    std::unordered_map<std::int64_t, Held> leases_;
};

}  // namespace berth::gpu
