// The scheduler at the size of gpu.md E.14: how long one event takes with 10 000 waiting for 64 devices, how
// long the times of all of them, how many decisions a second beside 10 000 live leases with quotas and fair
// share on, how long the choice of linked devices, and the memory of 10 000 leases and 10 000 who wait. CPU
// time of one core.
//
// berth_bench_scheduler [PART]: prints one JSON object, of that part alone where one is named.
#include "base/json.hpp"
#include "gpu/scheduler.hpp"
#include "gpu/topology.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iostream>
#include <random>
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

QueueRequest shared_request(std::int64_t id, Timestamp now) {
    QueueRequest shared = request(id, 2000, now);
    shared.wish.sharing = Sharing::shared;
    return shared;
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

// Ten thousand shared leases on 64 devices.
void fill(Scheduler& scheduler, std::vector<LeaseId>& held, std::int64_t& id, Timestamp now) {
    scheduler.restore(RulesChanged{kRules}, now);
    (void)scheduler.apply(DevicesChanged{devices(64, 160)}, now);
    while (held.size() < 10'000)
        confirm(scheduler, scheduler.apply(Enqueue{shared_request(++id, now)}, now), held, now);
}

json::object decisions() {
    Scheduler scheduler;
    const Timestamp now(hours(24 * 365 * 50));
    std::vector<LeaseId> held;
    std::int64_t id = 0;
    fill(scheduler, held, id, now);
    std::size_t oldest = 0;
    double spent = 0;
    Times times;
    constexpr int kDecisions = 50'000;
    for (int i = 0; i < kDecisions; ++i) {
        const QueueRequest asked = shared_request(++id, now);
        const double start = cpu_seconds();
        auto actions = scheduler.apply(Enqueue{asked}, now);
        const double took = cpu_seconds() - start;
        spent += took;
        times.milliseconds.push_back(took * 1e3);
        if (actions.empty()) std::abort();
        confirm(scheduler, std::move(actions), held, now);
        (void)scheduler.apply(LeaseEnded{held[oldest++]}, now);
    }
    return {{"per_second", kDecisions / spent}, {"us_p99", times.at(0.99) * 1e3}};
}

std::uint32_t link_between(const void* links, std::uint32_t a, std::uint32_t b) {
    return static_cast<const std::uint32_t*>(links)[a * kMaxDevices + b];
}

// The slowest number of devices to choose out of `count`, and the most subsets, with links as on boards of
// four: microseconds of a choice, the median of many.
double topology_us(std::uint32_t count) {
    std::vector<std::uint32_t> links(kMaxDevices * kMaxDevices);
    std::mt19937_64 random(count);
    for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < a; ++b) {
            const std::uint32_t weight =
                a / 4 == b / 4 ? 100 * static_cast<std::uint32_t>(1 + random() % 4) : 10;
            links[a * kMaxDevices + b] = links[b * kMaxDevices + a] = weight;
        }
    }
    std::vector<Candidate> candidates(count);
    for (std::uint32_t at = 0; at < count; ++at)
        candidates[at].order = at;
    double worst = 0;
    for (std::uint32_t wanted = 1; wanted < count; ++wanted) {
        const Choice choice{
            .policy = Policy::topology, .count = wanted, .link = link_between, .links = links.data()};
        const int each = count > 8 ? 20 : 500;
        Times times;
        for (int round = 0; round < 9; ++round) {
            const double start = cpu_seconds();
            for (int i = 0; i < each; ++i) {
                if (choose(choice, candidates).size() != wanted) std::abort();
            }
            times.milliseconds.push_back((cpu_seconds() - start) * 1e3 / each);
        }
        worst = std::max(worst, times.at(0.5) * 1e3);
    }
    return worst;
}

double resident_mib() {
    std::ifstream file("/proc/self/statm");
    std::size_t all = 0, resident = 0;
    file >> all >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Of the whole process that holds them, and nothing else.
double memory_mib() {
    Scheduler scheduler;
    Timestamp now(hours(24 * 365 * 50));
    std::vector<LeaseId> held;
    std::int64_t id = 0;
    fill(scheduler, held, id, now);
    while (scheduler.waiting() < 10'000)
        scheduler.restore(Enqueue{request(++id, 2000, now += std::chrono::milliseconds(10))}, now);
    if (scheduler.estimates(now).size() != 10'000) std::abort();
    return resident_mib();
}

}  // namespace
}  // namespace berth::gpu

int main(int argc, char** argv) {
    using namespace berth::gpu;
    const std::string only(argc > 1 ? argv[1] : "");
    berth::json::object result;
    const auto measure = [&](const char* part, const auto& how) {
        if (only.empty() || only == part) result[part] = how();
    };
    measure("memory_mib", memory_mib);  // first: nothing else has grown the process yet
    measure("single", [] { return queue_times(0); });
    measure("mixed", [] { return queue_times(3); });
    measure("decisions", decisions);
    measure("topology_8_us", [] { return topology_us(8); });
    measure("topology_16_us", [] { return topology_us(16); });
    std::cout << berth::json::serialize(result) << "\n";
}
