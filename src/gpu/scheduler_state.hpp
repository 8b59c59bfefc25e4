// The scheduler's picture of the world: devices, live leases, reservations, quotas, shares. A value: copying
// it gives an independent world, which is how questions are answered without changing anything. The ledger
// books; this picture is fed by the events that report what was booked.
#pragma once

#include "gpu/durations.hpp"
#include "gpu/fair_share.hpp"
#include "gpu/queue_types.hpp"
#include "gpu/quota.hpp"

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::gpu {

struct PreemptionOptions {
    bool enabled = false;
    Duration min_runtime = std::chrono::minutes(30);
    double hysteresis = 1.2;  // by this factor must the victim's side have had more than the claimant's
    Duration grace = std::chrono::minutes(10);
};

struct SchedulerOptions {
    Policy policy = Policy::least_allocated;
    std::map<std::string, Policy> policy_of_pool{};
    std::optional<Duration> default_length = std::chrono::hours(8);  // of requests that name none
    Duration age_max = std::chrono::hours(24);  // who got nothing for longer goes first in their class
    Duration reclaim_grace = std::chrono::minutes(5);
    Duration start_limit = std::chrono::minutes(10);  // a reserved lease may take this long to start
    // While nobody knows when the head starts, others may use its devices for this long.
    Duration unknown_backfill = std::chrono::hours(2);
    std::uint32_t max_entries = 10'000;
    std::uint32_t planned_entries = 64;  // so many waiting ones are protected from being overtaken
    std::uint32_t external_limit = 0;    // a device with more users that are none of ours is avoided
    PreemptionOptions preemption{};
    FairShareOptions fair_share{};
};

// What a device carries, counted from the holdings.
struct DeviceUse {
    std::uint32_t leases = 0;
    std::uint32_t exclusive_leases = 0;
    std::optional<Timestamp> last_grant{};
    std::optional<Timestamp> last_release{};
    std::optional<UserId> last_user{};
};

// A wish, resolved to places in the device order.
struct Shape {
    Wish wish;
    DeviceSet matching;  // by pool, model, memory and name, whatever their health
    DeviceSet usable;    // of them: eligible, not used from outside, not cut into instances
    std::string model;   // asked for, or common to all matching; "" when they differ
};

struct SchedulerState {
    SchedulerOptions options{};
    std::vector<ScheduledDevice> devices{};   // device order
    std::vector<DeviceUse> use{};             // beside `devices`
    std::map<LeaseId, Holding> holdings{};    // grants under way are here by the number of their entry
    std::vector<Reservation> reservations{};  // by (begin, id)
    Quotas quotas{};
    FairShare shares{};
    Durations durations{};
    std::unordered_map<UserId, Timestamp> served{};  // when a user got their last lease
    std::map<std::string, std::uint32_t> cursors{};  // round-robin, by pool

    void set_devices(std::vector<ScheduledDevice> list);
    void set_reservations(std::vector<Reservation> list);
    // Equal wishes share one answer until the devices change.
    std::shared_ptr<const Shape> shape_of(const Wish& wish) const;
    // Why the device is not given to anybody now; "" when it may be.
    std::string unusable_reason(std::size_t at) const;
    // Room for one more now, leaving plans for the future aside.
    bool has_room(std::size_t at, Sharing sharing) const;

    Holding& add(Holding lease);
    // Settles what was charged and remembers how long it lasted; a grant that came to nothing leaves no
    // trace (`counted` false). False when unknown.
    bool remove(LeaseId id, Timestamp now, bool counted);
    // One that was over before: quotas count it within their window. Oldest end first, after the devices.
    void add_past(Holding lease, Timestamp end);
    // Charges min(length, penalty limit) in advance.
    void charge_entry(Holding& lease);
    // Charges what leases have used beyond what they are charged; those it was.
    std::vector<const Holding*> accrue(Timestamp now);

    // By the pool's policy, of these devices, `count` of them; moves the round-robin cursor.
    std::vector<std::uint32_t> choose(
        const Wish& wish, UserId asker, const DeviceSet& candidates, Timestamp now);

    // Without devices of models that the asker may not have more of.
    DeviceSet within_model_rules(const Asker& asker, const Wish& wish, DeviceSet candidates) const;

    const std::string& pool_of(const Holding& lease) const;
    std::vector<std::string> models_of(const Holding& lease) const;

private:
    Shape resolve(const Wish& wish) const;
    void resolve_places(Holding& lease) const;
    void settle(Holding& lease, double gpu_seconds, Timestamp at);
    void book(const Holding& lease, int sign);
    std::uint32_t least_allocated(const DeviceSet& candidates) const;

    static constexpr std::size_t kShapesKept = 128;
    mutable std::vector<std::shared_ptr<const Shape>> shapes_;
    std::unordered_map<DeviceUuid, std::uint32_t> places_;  // in `devices`
    DeviceSet cut_;                                         // has MIG instances
};

}  // namespace berth::gpu
