// What the scheduler is told and what it answers: devices, requests, leases, reservations. Plain values.
#pragma once

#include "base/ids.hpp"
#include "base/units.hpp"
#include "gpu/ledger.hpp"
#include "gpu/policy.hpp"

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace berth::gpu {

using Duration = Timestamp::duration;

// The number of the row in queue_entries. Ids of all kinds come from one sequence, so no lease has it.
enum class EntryId : std::int64_t {};
enum class ReservationId : std::int64_t {};

inline constexpr std::size_t kMaxDevices = 256;  // of one hub; further ones are not given out
using DeviceSet = std::bitset<kMaxDevices>;      // by place in the device order

// A device as the scheduler sees it; their order in the list is the device order.
struct ScheduledDevice {
    DeviceUuid uuid;
    std::string pool;   // a request names one pool; "" is the default one
    std::string model;  // as NVML names it
    Bytes memory{};
    std::uint32_t capacity = 1;  // k: shared leases it may hold
    bool eligible = true;        // healthy, not cordoned, still present
    std::string unavailable;     // why it is not eligible, for people
    bool by_name_only = false;
    std::uint32_t external = 0;          // users that are none of ours
    std::optional<DeviceUuid> parent{};  // of a MIG instance; never given together with it
    std::uint32_t board = 0;             // same number: same board, switch or NUMA group
    std::uint32_t load_percent = 0;      // EWMA of utilisation, τ = 60 s
    std::uint32_t memory_percent = 0;
    std::vector<std::uint32_t> links{};  // weight of the link to each device of the list; empty: unknown
};

// Who asks, with every name that a quota may speak of.
struct Asker {
    UserId user{};
    std::string name;                   // of the user, as quota rules spell it
    std::vector<std::string> groups{};  // the first is the one of the fair share
    std::string project{};
    const std::string& group() const;  // "" without groups
};

// Which devices are asked for.
struct Wish {
    std::uint32_t count = 1;  // all or nothing
    Sharing sharing = Sharing::exclusive;
    std::string pool{};
    std::string model{};  // "": any
    Bytes min_memory{};
    std::vector<DeviceUuid> among{};  // only these; empty: any that is not by_name_only
    bool operator==(const Wish&) const = default;
};

struct QueueRequest {
    EntryId id{};
    Asker asker;
    Wish wish{};
    std::int64_t priority = 0;         // the class; higher goes first
    std::optional<Duration> length{};  // declared; none: no limit, which cannot be backfilled
    Timestamp enqueued{};
    std::string profile{};     // durations are remembered by user and profile
    bool preemptible = false;  // the lease may be taken back for others
    bool wait = true;          // false: granted by the event that brings it, or rejected
};

// A live lease, as far as the queue has to know it.
struct Holding {
    LeaseId id{};
    Asker asker;
    std::vector<DeviceUuid> devices{};
    Sharing sharing = Sharing::exclusive;
    Timestamp begin{};
    std::optional<Timestamp> deadline{};  // none: nobody knows when it ends
    std::int64_t priority = 0;
    std::string profile{};
    bool preemptible = false;
    bool borrowed = false;     // beyond a quota; preemptible for whoever is within theirs
    bool reclaimable = false;  // idle long enough, and its user was told
    bool started = true;       // false: reserved, its container is not verified yet
    std::optional<ReservationId> reservation{};

    // Kept by the scheduler.
    std::optional<Timestamp> ending{};  // a reclaim was asked for; expected to be over by then
    struct Charge {
        double gpu_seconds = 0;
        Timestamp at{};
    } charged{};
    std::vector<std::uint32_t> at{};  // places of `devices` that are still in the list
    double share = 1;                 // of a device that is charged: 1/k when shared
    std::string counted_pool{};       // as the quotas counted it
    std::vector<std::string> counted_models{};
};

struct Reservation {
    ReservationId id{};
    std::optional<UserId> user{};  // whose; or of the project, or of a group
    std::string project{};
    std::string group{};
    Wish wish{};
    Timestamp begin{};
    Timestamp end{};
    bool belongs_to(const Asker& asker) const;
};

// Actions. The hub commits what they say, acts, and reports back by an event.
struct GrantAction {
    EntryId entry{};
    std::vector<DeviceUuid> devices;  // in device order; to be booked as DeviceRequest::among
    Sharing sharing = Sharing::exclusive;
    std::optional<Timestamp> deadline{};
    bool borrowed = false;  // beyond a quota that allows it while nobody waits: the lease is preemptible
    std::optional<ReservationId> reservation{};
};

enum class ReclaimReason {
    idle,         // marked reclaimable, and somebody waits
    preempted,    // somebody with a better claim waits
    over,         // its deadline has passed
    not_started,  // reserved for longer than a start may take
    cancelled,    // its entry was cancelled while the grant was being committed
};
std::string_view name_of(ReclaimReason reason);

struct ReclaimAction {
    LeaseId lease{};
    ReclaimReason reason{};
    std::optional<EntryId> entry{};  // for whom
    Duration grace{};                // to tell its user before it is stopped
    std::string text;                // for its user
};

struct RejectAction {
    EntryId entry{};
    std::string text;  // the rule, and what would help
};

using Action = std::variant<GrantAction, ReclaimAction, RejectAction>;

}  // namespace berth::gpu
