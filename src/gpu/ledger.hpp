// Who holds which device. The allocation core: pure (no I/O, no clock, no randomness), a deterministic
// function of its state and the request, so that the log of requests replays to the same choices (gpu.md
// E.13: I1, I2, I5, I6, I8, I9, I13, I14). Hub strand only. The hub commits every change to the store before
// anyone is told of it. Nothing outside gpu/leases.hpp changes a ledger; others look at it through Leases.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "gpu/policy.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace berth::gpu {

// Why a request does not fit or a lease does not change. Each is a rule the refusal's message names.
enum class DeviceErrc {
    no_devices = 1,   // there are none that may be given out at all
    more_than_exist,  // would never fit
    none_free,        // every device is at its limit: message says how many are in use and what to do
    not_enough_free,  // some are free, fewer than asked for
    not_shareable,    // asked to share, but every device that could be shared is held exclusively
    unknown_device,
    already_exists,  // a lease of that id
    nothing_asked,   // a request for no device
    unknown_lease,
    wrong_state,  // the lease is not in a state that this may follow
};
std::string_view text_of(DeviceErrc reason);
BERTH_ERROR_CATEGORY(DeviceErrc, "device")

enum class Sharing {
    exclusive,  // alone on each device
    shared,     // with at most k leases on a device, all of them shared
};

struct Device {
    DeviceUuid uuid;
    std::uint32_t capacity = 1;  // k: shared leases it may hold; an exclusive lease needs it empty
    bool eligible = true;        // healthy, not cordoned, still present
    bool by_name_only =
        false;  // given only to requests whose `among` names it: devices that only the façade knows
    std::uint32_t external = 0;  // users that are none of ours: counted as leases when devices are compared
};

struct DeviceRequest {
    std::uint32_t count = 1;  // n, all or nothing
    Sharing sharing = Sharing::exclusive;
    // Only these, ties in this order; unknown ones are passed over. Empty: every device, ties in device
    // order.
    std::vector<DeviceUuid> among{};
};

class Ledger {
public:
    // Which of the devices with room a request gets; least-allocated unless said otherwise. The ledger has no
    // clock: to it lru goes by the order of releases, and what goes by load or by the asker is
    // least-allocated (a queue that knows more names the devices itself, DeviceRequest::among).
    void set_policy(Policy policy) { policy_ = policy; }

    // Adds a device at the end of the device order, or changes the one of that uuid (its leases stay).
    void put(Device device);
    // Removes it; false while leases are on it (it is made ineligible instead) or when it is unknown.
    bool remove(const DeviceUuid& uuid);

    // Chooses by the policy, by default (live leases and external users on it, device order), among eligible
    // devices with room; books them under `id`. The answer is in device order. Errors: no_devices,
    // more_than_exist, none_free, not_enough_free, not_shareable, already_exists, nothing_asked; then nothing
    // is changed.
    Result<std::vector<DeviceUuid>> acquire(LeaseId id, const DeviceRequest& request);
    // Books exactly these devices, over any limit: for leases that exist already (recovery, adoption).
    // Errors: already_exists, unknown_device; then nothing is changed.
    Result<void> restore(LeaseId id, Sharing sharing, const std::vector<DeviceUuid>& devices);
    // Gives the devices back. False when the id is unknown: releasing twice is releasing once (I9).
    bool release(LeaseId id);

    struct View {
        Device device;
        std::uint32_t leases = 0;
        bool exclusively_held = false;
        bool over_limit() const { return leases > (exclusively_held ? 1 : device.capacity); }
    };
    std::vector<View> devices() const;  // in device order
    std::optional<View> find(const DeviceUuid& uuid) const;
    bool holds(LeaseId id) const { return leases_.contains(number_of(id)); }
    std::size_t live_leases() const { return leases_.size(); }
    // Devices on which a request for one, without `among`, would fit now.
    std::uint32_t free_devices(Sharing sharing) const;

private:
    struct Slot {
        Device device;
        std::uint32_t leases = 0;
        std::uint32_t exclusive_leases = 0;  // more than one only after restore()
        std::uint64_t released = 0;          // when, counted in releases; 0 never
    };
    struct Held {
        Sharing sharing = Sharing::exclusive;
        std::vector<std::uint32_t> slots;
    };
    struct Fitting {  // compared member by member: that is least-allocated
        std::uint32_t leases;
        std::uint32_t order;
        std::uint32_t slot;
        auto operator<=>(const Fitting&) const = default;
    };
    using Leases = std::unordered_map<std::int64_t, Held>;

    static bool fits(const Slot& slot, Sharing sharing);
    // Fills candidates_ with the slots that the request may choose from and that have room.
    void gather(const DeviceRequest& request);
    // Moves the candidates that the policy chooses to the front.
    void choose_by_policy(std::uint32_t count);
    Error refusal(const DeviceRequest& request) const;
    void book(LeaseId id, Sharing sharing, const std::vector<std::uint32_t>& slots);
    static View view_of(const Slot& slot);

    Policy policy_ = Policy::least_allocated;
    std::uint32_t cursor_ = 0;  // round-robin: the place of the next
    std::uint64_t releases_ = 0;
    std::vector<Slot> slots_;  // device order
    std::unordered_map<DeviceUuid, std::uint32_t> index_;
    Leases leases_;
    std::vector<Leases::node_type>
        spare_;  // nodes of ended leases, used again: a grant allocates next to nothing
    // Of the request at hand; members for their capacity only.
    std::vector<Fitting> candidates_;
    std::vector<std::uint32_t> chosen_;
    struct {
        std::uint32_t eligible = 0;      // devices that the request may ever be given
        std::uint32_t kept_for_one = 0;  // of them: shareable, but held exclusively
    } seen_;
};

}  // namespace berth::gpu
