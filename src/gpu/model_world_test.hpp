// A world small enough to be walked through completely (gpu.md E.13): a scheduler, the store's durable rows
// and a container engine, each of which may fail, answer late although it did what it was asked, or lose the
// hub at any moment. A value: the checker copies it for every step it tries.
#pragma once

#include "gpu/scheduler.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace berth::gpu::model {

inline constexpr std::size_t kRequests = 4;

struct Scenario {
    std::string name;
    SchedulerOptions options{};
    std::vector<ScheduledDevice> devices{};
    std::vector<QuotaRule> rules{};
    std::vector<Reservation> reservations{};
    std::array<QueueRequest, kRequests> requests{};
    Duration step = std::chrono::minutes(30);  // of the clock
    std::uint8_t steps = 4;
    std::uint8_t crashes = 1;
    std::uint8_t failures = 1;  // errors and late answers
};
std::vector<Scenario> scenarios();
Timestamp model_begin();

// How far a request has come. What is durable and what the engine has follows from it.
enum class Stage : std::uint8_t {
    unasked,
    waiting,        // row in queue_entries
    granting,       // the scheduler decided; nothing is durable yet
    granting_done,  // durable, but the answer was late: the hub does not know
    reserved,       // row in leases, and the scheduler knows
    creating_done,  // its container exists, but the answer was late
    running,        // its container runs
    stopping,       // the hub asked for its end
    gone,           // the container is gone, the lease is not yet
    ending_done,    // the end is durable, but the answer was late
    over,           // ended, durable
    refused,        // rejected, cancelled or failed
};

struct Job {
    Stage stage = Stage::unasked;
    bool idle = false;
    bool cancelled = false;
    bool reclaimed = false;  // the scheduler asked for it, once
    bool borrowed = false;
    Sharing sharing = Sharing::exclusive;
    std::vector<std::uint8_t> devices{};  // granted: places
    std::optional<Timestamp> deadline{};
    Timestamp begin{};
    Timestamp enqueued{};
};

struct World {
    explicit World(const Scenario& which);

    struct Step {
        enum class Kind : std::uint8_t {
            ask,
            cancel,
            commit,
            commit_fails,
            commit_late,
            resolve,
            create,
            create_late,
            inspect,
            create_fails,
            idle,
            busy,
            stop,
            removed,
            release,
            release_late,
            release_resolved,
            crash,
            clock,
            break_device
        } kind{};
        std::uint8_t job = 0;
    };
    std::vector<Step> steps() const;
    // Takes the step and checks what must hold at it and after it. The first violation, or nothing.
    std::optional<std::string> take(Step step);
    // Everything that later behaviour depends on.
    std::uint64_t digest() const;
    // From here on everything goes well: does everybody get an answer (L1)?
    std::optional<std::string> ends_well() const;

    const Scenario* scenario;
    Scheduler scheduler;
    Timestamp now;
    std::array<Job, kRequests> jobs{};
    std::uint8_t steps_left = 0;
    std::uint8_t crashes_left = 0;
    std::uint8_t failures_left = 0;
    bool broken = false;  // device 0 was cordoned

private:
    std::optional<std::string> apply(const Event& event);
    std::optional<std::string> granted(const GrantAction& action, const Scheduler& before);
    std::optional<std::string> reclaimed(const ReclaimAction& action);
    std::optional<std::string> check_devices() const;
    std::optional<std::string> check_scheduler(bool after_tick) const;
    std::optional<std::string> check_head(const Scheduler& undecided) const;
    std::optional<std::string> crash();
    std::optional<std::string> duplicates_change_nothing() const;
    std::optional<Estimate> head_of(const Scheduler& which) const;
    std::vector<ScheduledDevice> devices() const;
    Scheduler recovered() const;
    LeaseId lease_of(std::size_t job) const { return LeaseId{static_cast<std::int64_t>(job) + 101}; }
    EntryId entry_of(std::size_t job) const { return EntryId{static_cast<std::int64_t>(job) + 1}; }
};

bool holds_devices(Stage stage);  // by the durable truth or the decision under way
std::uint64_t digest_of(const Scheduler& scheduler);

}  // namespace berth::gpu::model
