// Who gets which device when: the queue over a pool of devices, as a function (state, event, now) → actions
// (gpu.md E.3, E.5, E.6, E.7). Pure: no clock, no I/O, no randomness; a value that may be copied. Hub strand
// only.
//
// Grants have two phases, as in gpu/leases.hpp. A GrantAction holds its devices here from that moment; the
// hub reserves them in Leases (DeviceRequest::among), commits the lease's row together with the removal of
// the entry's row, and then reports GrantConfirmed, or GrantFailed when nothing became durable. So after a
// crash an entry is either still waiting or a lease, never both, never neither.
#pragma once

#include "gpu/eta.hpp"
#include "gpu/queue.hpp"
#include "gpu/why.hpp"

#include <variant>
#include <vector>

namespace berth::gpu {

struct Enqueue {
    QueueRequest request;
};
struct Cancel {
    EntryId entry{};
};
struct GrantConfirmed {  // durable
    EntryId entry{};
    LeaseId lease{};
    std::optional<Timestamp> deadline{};  // as committed
};
struct GrantFailed {  // and not durable
    EntryId entry{};
    bool again = true;  // it waits on, in its old place; else it is dropped
};
struct LeaseKnown {  // at start; or made beside the queue (adopted, façade)
    Holding lease;
};
struct LeaseStarted {  // its container runs and was verified
    LeaseId lease{};
};
struct LeaseEnded {  // durable; unknown ids are ignored
    LeaseId lease{};
};
struct LeaseExtended {  // or shortened
    LeaseId lease{};
    std::optional<Timestamp> deadline{};
};
struct IdleMarked {  // its user was told and did nothing; or it works again
    LeaseId lease{};
    bool reclaimable = true;
};
// A reclaim of an idle lease was not carried out: it is worked with again. It may be asked for anew.
struct ReclaimRevoked {
    LeaseId lease{};
};
struct DevicesChanged {  // all of them, in device order
    std::vector<ScheduledDevice> devices;
};
struct ReservationsChanged {
    std::vector<Reservation> reservations;
};
struct RulesChanged {
    std::vector<QuotaRule> rules;
};
struct Tick {};  // time has passed: at least once a minute

using Event = std::variant<
    Enqueue,
    Cancel,
    GrantConfirmed,
    GrantFailed,
    LeaseKnown,
    LeaseStarted,
    LeaseEnded,
    LeaseExtended,
    IdleMarked,
    ReclaimRevoked,
    DevicesChanged,
    ReservationsChanged,
    RulesChanged,
    Tick>;

class Scheduler {
public:
    explicit Scheduler(SchedulerOptions options = {});

    // What is to be done now. Every action is given once; a grant until it is confirmed or failed, a reclaim
    // until its lease has ended.
    std::vector<Action> apply(const Event& event, Timestamp now);
    // The same change without deciding anything yet: for what the store holds at start. apply() follows.
    void restore(const Event& event, Timestamp now);
    // Usage of before, from the store's intervals; any order.
    void restore_usage(UserId user, const std::string& group, double gpu_seconds, Timestamp at);
    // A lease that was over before, for the GPU-hours of quotas; oldest end first, after devices and rules.
    void restore_past(Holding lease, Timestamp end) { state_.add_past(std::move(lease), end); }
    // Who held this device last, and until when; after the devices are known.
    void restore_last_use(const DeviceUuid& device, std::optional<UserId> user, Timestamp released);
    void set_weight(UserId user, double weight);
    void set_weight(const std::string& group, double weight);

    // Every waiting entry, first to be served first, with its times.
    std::vector<Estimate> estimates(Timestamp now) const;
    // What would happen to this request if it were made now; nothing changes. For one that waits already the
    // answer is about its own place.
    Why why(const QueueRequest& request, Timestamp now) const;
    // Why a lease may not be extended to this deadline; nothing when it may.
    std::optional<std::string> extension_refusal(LeaseId lease, Timestamp deadline, Timestamp now) const;

    const SchedulerState& state() const { return state_; }
    const Entry* find(EntryId id) const { return queue_.find(id); }
    std::size_t waiting() const { return queue_.waiting(); }

private:
    struct Pass;  // one walk through the queue
    void change(const Enqueue& event, Timestamp now);
    void change(const Cancel& event, Timestamp now);
    void change(const GrantConfirmed& event, Timestamp now);
    void change(const GrantFailed& event, Timestamp now);
    void change(const LeaseKnown& event, Timestamp now);
    void change(const LeaseStarted& event, Timestamp now);
    void change(const LeaseEnded& event, Timestamp now);
    void change(const LeaseExtended& event, Timestamp now);
    void change(const IdleMarked& event, Timestamp now);
    void change(const ReclaimRevoked& event, Timestamp now);
    void change(const DevicesChanged& event, Timestamp now);
    void change(const ReservationsChanged& event, Timestamp now);
    void change(const RulesChanged& event, Timestamp now);
    void change(const Tick& event, Timestamp now);

    void decide(Timestamp now);
    bool grant_one(Pass& pass, Timestamp now);
    bool may_start(Pass& pass, const Entry& entry, DeviceSet& on, Timestamp now) const;
    void grant(EntryId id, const DeviceSet& on, bool borrowed, const Plan& plan, Timestamp now);
    void drop(EntryId id);
    void reject(EntryId id, std::string text);
    void reclaim(Holding& lease, ReclaimReason reason, std::optional<EntryId> entry, Timestamp now);
    void reject_impatient(Timestamp now);
    std::string refusal_of_entry(const QueueRequest& request) const;

    SchedulerState state_;
    Queue queue_;
    std::vector<Action> actions_;
    std::vector<EntryId> impatient_;  // those that do not wait
};

}  // namespace berth::gpu
