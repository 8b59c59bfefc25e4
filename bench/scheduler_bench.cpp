// The scheduler at the size of gpu.md E.14: how long one event takes with 10 000 waiting for 64 devices, how
// long the times of all of them, and how many decisions a second beside 10 000 live leases with quotas and
// fair share on. CPU time of one core. Prints one JSON object.
#include "base/json.hpp"
#include "gpu/scheduler.hpp"

#include <algorithm>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

namespace berth::gpu {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

double cpu_seconds() {
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

QueueRequest request(std::int64_t id, std::int64_t users, Timestamp now) {
    QueueRequest request;
    request.id = EntryId{id};
    request.asker.user = UserId{id * 7919 % users + 1};
    request.asker.name = "user" + std::to_string(number_of(request.asker.user));
    request.asker.groups = {"group" + std::to_string(number_of(request.asker.user) % 7)};
    request.length = minutes(30 + id * 104'729 % 600);
    request.enqueued = now;
    return request;
}

std::vector<ScheduledDevice> devices(std::size_t count, std::uint32_t capacity) {
    std::vector<ScheduledDevice> list(count);
    for (std::size_t i = 0; i < count; ++i) {
        list[i].uuid = DeviceUuid("GPU-3d8f0a52-6c1b-4e97-8f20-0000000000" + std::to_string(10 + i));
        list[i].model = i % 4 == 0 ? "A100" : "H200";
        list[i].capacity = capacity;
    }
    return list;
}

const std::vector<QuotaRule> kRules{
    {.name = "*", .devices = 1000},
    {.scope = QuotaScope::group, .name = "*", .devices = 100'000},
    {.name = "*", .length = hours(24)}};

struct Times {
    std::vector<double> milliseconds;
    double at(double part) {
        std::sort(milliseconds.begin(), milliseconds.end());
        return milliseconds[static_cast<std::size_t>(part * static_cast<double>(milliseconds.size() - 1))];
    }
};

// Every grant is confirmed; the leases that are then held, in order.
void confirm(Scheduler& scheduler, std::vector<Action> actions, std::vector<LeaseId>& held, Timestamp now) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
        const auto* grant = std::get_if<GrantAction>(&actions[i]);
        if (!grant) continue;
        const LeaseId lease{static_cast<std::int64_t>(grant->entry)};
        held.push_back(lease);
        const auto more = scheduler.apply(GrantConfirmed{grant->entry, lease, grant->deadline}, now);
        actions.insert(actions.end(), more.begin(), more.end());
    }
}

json::object queue_times(int count_every) {
    Scheduler scheduler;
    Timestamp now(hours(24 * 365 * 50));
    scheduler.restore(RulesChanged{kRules}, now);
    (void)scheduler.apply(DevicesChanged{devices(64, 1)}, now);
    std::vector<LeaseId> held;
    std::int64_t id = 0;
    while (id < 64)
        confirm(scheduler, scheduler.apply(Enqueue{request(++id, 400, now)}, now), held, now);
    while (scheduler.waiting() < 9'990) {
        QueueRequest next = request(++id, 400, now += std::chrono::milliseconds(10));
        if (count_every > 0 && id % count_every == 0)
            next.wish.count = static_cast<std::uint32_t>(2 + id % 7);
        if (id % 5 == 0) next.wish.model = "A100";
        scheduler.restore(Enqueue{next}, now);
    }
    Times event, estimates;
    for (std::size_t i = 0; i < 100; ++i) {
        now += minutes(1);
        const double start = cpu_seconds();
        auto actions = scheduler.apply(LeaseEnded{held[i]}, now);
        event.milliseconds.push_back((cpu_seconds() - start) * 1e3);
        confirm(scheduler, std::move(actions), held, now);
    }
    for (int i = 0; i < 10; ++i) {
        const double start = cpu_seconds();
        const auto all = scheduler.estimates(now += minutes(1));
        estimates.milliseconds.push_back((cpu_seconds() - start) * 1e3);
        if (all.size() != scheduler.waiting()) std::abort();
    }
    return {
        {"waiting", scheduler.waiting()},
        {"event_ms_median", event.at(0.5)},
        {"event_ms_p99", event.at(0.99)},
        {"estimates_ms_median", estimates.at(0.5)},
        {"estimates_ms_max", estimates.at(1)}};
}

double decisions_per_second() {
    Scheduler scheduler;
    Timestamp now(hours(24 * 365 * 50));
    scheduler.restore(RulesChanged{kRules}, now);
    (void)scheduler.apply(DevicesChanged{devices(64, 160)}, now);
    std::vector<LeaseId> held;
    std::int64_t id = 0;
    const auto next = [&] {
        QueueRequest shared = request(++id, 2000, now);
        shared.wish.sharing = Sharing::shared;
        return shared;
    };
    while (held.size() < 10'000)
        confirm(scheduler, scheduler.apply(Enqueue{next()}, now), held, now);
    std::size_t oldest = 0;
    double spent = 0;
    constexpr int kDecisions = 50'000;
    for (int i = 0; i < kDecisions; ++i) {
        const QueueRequest asked = next();
        const double start = cpu_seconds();
        auto actions = scheduler.apply(Enqueue{asked}, now);
        spent += cpu_seconds() - start;
        if (actions.empty()) std::abort();
        confirm(scheduler, std::move(actions), held, now);
        (void)scheduler.apply(LeaseEnded{held[oldest++]}, now);
    }
    return kDecisions / spent;
}

}  // namespace
}  // namespace berth::gpu

int main() {
    berth::json::object result{
        {"single", berth::gpu::queue_times(0)},
        {"mixed", berth::gpu::queue_times(3)},
        {"decisions_per_second", berth::gpu::decisions_per_second()}};
    std::cout << berth::json::serialize(result) << "\n";
}
