// Who waits for GPUs: the hub's side of gpu::Scheduler. Every start that needs devices asks here; it gets
// them, or a place in the queue with its times, or a refusal that names the rule. The scheduler decides,
// gpu::Leases books, the store's row makes it durable; then the grant is confirmed here. What others do to
// leases and devices (ends, adoptions, the façade, cordons) is taken from Leases' news. The rows of those who
// wait are in the store, and a hub that starts puts them in again. Hub strand only.
#pragma once

#include "async/notifier.hpp"
#include "gpu/scheduler.hpp"
#include "hub/context.hpp"
#include "hub/gpu_loads.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace berth::hub {

class GpuQueue {
    struct Waiter;

public:
    explicit GpuQueue(Context& context);
    GpuQueue(const GpuQueue&) = delete;
    ~GpuQueue();

    struct Ask {
        UserId user{};
        ServerId server{};
        std::string profile;
        std::string project;  // "": none
        std::int64_t priority = 0;
        gpu::Wish wish;
        bool preemptible = false;
        bool wait = true;                                            // false: now or refused
        std::optional<store::QueueEntryRow> earlier = std::nullopt;  // its place before a restart
    };

    // What one start was given or waits for. Destroying it before confirm() gives up both; so it must not
    // outlive a start that ended. The queue must outlive it.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept
            : queue_(std::exchange(other.queue_, nullptr)), waiter_(std::move(other.waiter_)) {}
        Place& operator=(Place&& other) noexcept;
        ~Place() { leave(); }

        explicit operator bool() const { return waiter_ != nullptr; }
        // The devices that are this start's once they are booked and committed; null while it waits.
        const gpu::GrantAction* granted() const;
        // The row to commit with a start that waits.
        const store::QueueEntryRow& row() const;
        // What was asked for, which is what its lease is noted to be for.
        Ask asked() const;
        // Until it is granted. Errors: queue_timeout, refused (a rule changed).
        awaitable<Result<void>> wait(Deadline deadline);
        // The lease of that number is about to be booked for the grant.
        void booking(LeaseId lease);
        // The lease is durable and the entry's row is gone with it.
        void confirm(LeaseId lease) &&;
        // The lease could not be booked or committed: it waits on, in its old place, and is not granted again
        // before a pause.
        void put_back();

    private:
        friend class GpuQueue;
        Place(GpuQueue* queue, std::shared_ptr<Waiter> waiter) : queue_(queue), waiter_(std::move(waiter)) {}
        void leave() noexcept;

        GpuQueue* queue_ = nullptr;
        std::shared_ptr<Waiter> waiter_;
    };

    // Takes over what the store holds; after Servers and Leases have it. `usage`: intervals of the time that
    // remembers() says.
    void restore(
        const std::vector<store::QueueEntryRow>& entries, std::vector<store::UsageIntervalRow> usage);
    static Timestamp::duration remembers(const config::GpuOptions& options);
    // Errors: those of the scheduler's rules (HubErrc::gpu_rule), each naming the rule and what helps.
    Result<Place> ask(const Ask& ask);

    // Where a waiting start stands.
    struct Standing {
        ServerId server{};
        UserId user{};
        gpu::Estimate estimate;
        std::size_t waiting = 0;  // all who wait
        std::uint32_t gpus = 0;
        Timestamp enqueued{};
    };
    std::optional<Standing> standing_of(ServerId server) const;
    std::vector<Standing> standings() const;  // first to be served first
    std::size_t waiting() const { return scheduler_.waiting(); }
    // Of those who wait for a free GPU, not for a quota of their own: how long the first of them has.
    Timestamp::duration longest_waited(Timestamp now) const;
    // Devices that a wish may ever be given, in device order.
    std::vector<DeviceUuid> matching(const gpu::Wish& wish) const;
    // What would happen to this start now, device by device.
    gpu::Why why(const Ask& ask) const;

    // Its holder has not worked with it for long enough, or works again.
    void mark_idle(LeaseId lease, bool idle);
    // Somebody waits, and is to get the devices of this idle lease.
    bool is_wanted(LeaseId lease) const;

    // Moves the end of a lease to `until`, or says which rule is in the way: a quota, a reservation, people
    // who wait. The lease's row follows, or settle() takes back what was promised.
    std::optional<std::string> extend(LeaseId lease, Timestamp until);
    std::optional<std::string> extension_refusal(LeaseId lease, Timestamp until) const;
    void settle(LeaseId lease) { take_news(lease); }
    // --- gpu_queue_claims.cpp ---
    // What is reserved, all of it.
    void set_reservations(std::vector<gpu::Reservation> reservations);
    // The reservation that keeps this device from that user and project: the first from now on.
    struct ReservedFor {
        gpu::ReservationId reservation{};
        Timestamp begin{};
        Timestamp end{};
    };
    std::optional<ReservedFor> kept_from(
        const DeviceUuid& device, UserId user, const std::string& project = {}) const;
    // When a lease is over at the latest, as far as anybody said.
    std::optional<Timestamp> end_of(LeaseId lease) const;
    // This lease is taken back for somebody with a better claim, and its server ends then (gpu.preemption).
    std::optional<std::chrono::steady_clock::time_point> preempted(LeaseId lease) const;
    bool preempts() const { return !preempted_.empty(); }
    // Devices that are free, and promised to those who wait or to reservations: the allocator façade, whose
    // callers have no place in the queue, leaves them alone. None when nobody has a claim.
    std::vector<DeviceUuid> promised(gpu::Duration for_so_long);
    // What leases and devices have told since the last decision, for a question about the present.
    void bring_up_to_date() { catch_up(); }

    // Follows leases, devices and time for ever.
    awaitable<> run();
    const gpu::Scheduler& scheduler() const { return scheduler_; }

private:
    static gpu::SchedulerOptions scheduler_options(const config::Options& options);
    static std::vector<gpu::QuotaRule> quota_rules(const config::Options& options);
    static Ask ask_of(const store::QueueEntryRow& row);
    static const store::QueueEntryRow& row_of(const Waiter& waiter);
    gpu::Asker asker_of(UserId user, const std::string& project = {}) const;
    gpu::QueueRequest request_of(const Ask& ask, gpu::EntryId id, Timestamp enqueued) const;
    // How long a server of theirs may run, renewed as often as may be; and how long its lease is at first.
    std::optional<seconds> length_of(UserId user, const std::string& profile) const;
    std::optional<seconds> asked_length_of(UserId user, const std::string& profile) const;
    gpu::Holding holding_of(const store::LeaseRow& row) const;
    gpu::Holding past_holding_of(const store::UsageIntervalRow& interval) const;
    std::vector<gpu::ScheduledDevice> scheduled_devices();
    void catch_up();
    bool has_reserved(const gpu::QueueRequest& request) const;
    void follow_reservations();
    void preempt(const gpu::ReclaimAction& reclaim);
    void revoke_preemptions();
    void take_news(LeaseId lease);
    void apply(const gpu::Event& event);
    void carry_out(const gpu::Action& action);
    void give_up(const std::shared_ptr<Waiter>& waiter);
    const std::vector<gpu::Estimate>& estimates() const;
    Standing standing(const Waiter& waiter, const gpu::Estimate& estimate) const;

    Context& context_;
    gpu::Scheduler scheduler_;
    GpuLoads loads_;
    std::unordered_map<std::int64_t, std::shared_ptr<Waiter>> by_server_;
    std::unordered_map<std::int64_t, std::shared_ptr<Waiter>> by_entry_;
    std::set<LeaseId> news_;  // leases that changed since the last catch_up()
    bool devices_news_ = true;
    std::set<LeaseId> confirming_;  // booked for a grant, and not durable yet
    std::set<LeaseId> wanted_;      // idle ones that somebody is to get
    struct Preemption {
        gpu::EntryId entry{};  // for whom
        std::chrono::steady_clock::time_point stops{};
    };
    std::map<LeaseId, Preemption> preempted_;
    std::vector<std::pair<std::chrono::steady_clock::time_point, gpu::EntryId>> put_back_;
    Notifier changed_;
    mutable std::optional<std::pair<std::chrono::steady_clock::time_point, std::vector<gpu::Estimate>>>
        estimates_;
};

// What is stored of a request, and read again after a restart.
json::object stored_request(const GpuQueue::Ask& ask);

}  // namespace berth::hub
