#include "spawn/doubles.hpp"

#include "async/deadline.hpp"

namespace berth::spawn::doubles {

using namespace std::chrono_literals;

MemorySpawner::MemorySpawner(const asio::any_io_executor& executor) : happened_(executor) {}

Result<void> MemorySpawner::reachable() const {
    if (reachable_) return {};
    return Error{SpawnErrc::backend_unreachable, "The backend does not answer.", "set_reachable(false)"};
}

awaitable<Result<void>> MemorySpawner::check(Deadline) {
    co_return reachable();
}

awaitable<Result<Endpoint>> MemorySpawner::start(StartPlan plan, Progress progress, Deadline) {
    BERTH_CO_CHECK(reachable());
    started_.push_back(plan);
    if (progress) progress(10, "Starting");
    const auto id = std::pair(plan.instance, number_of(plan.server));
    const auto before = entries_.find(id);
    const bool same = before != entries_.end() && before->second.plan.generation == plan.generation &&
                      before->second.liveness == Liveness::running;
    if (!same) entries_.insert_or_assign(id, Entry{std::move(plan)});
    Endpoint endpoint{url, json::object{{"id", id.second}}};
    co_return endpoint;
}

awaitable<Result<void>> MemorySpawner::verify(StartPlan plan, SpawnState, Deadline) {
    BERTH_CO_CHECK(reachable());
    const auto it = entries_.find({plan.instance, number_of(plan.server)});
    if (it != entries_.end() && it->second.plan.devices == plan.devices) co_return Result<void>{};
    co_return Error{SpawnErrc::devices_differ, "The server does not see the GPUs of its lease."};
}

awaitable<Result<void>> MemorySpawner::stop(StartPlan plan, SpawnState, Deadline) {
    BERTH_CO_CHECK(reachable());
    if (!removable_) co_return Error{SpawnErrc::start_timeout, "It did not go in time."};
    const auto it = entries_.find({plan.instance, number_of(plan.server)});
    if (it != entries_.end() && it->second.plan.generation <= plan.generation) entries_.erase(it);
    co_return Result<void>{};
}

awaitable<Result<Status>> MemorySpawner::poll(StartPlan plan, SpawnState, Deadline) {
    BERTH_CO_CHECK(reachable());
    const auto it = entries_.find({plan.instance, number_of(plan.server)});
    Status status;
    if (it != entries_.end()) {
        status.liveness = it->second.liveness;
        if (status.liveness == Liveness::gone) status.exit_code = exit_code;
        if (status.liveness == Liveness::gone) status.finished = finished;
    }
    co_return status;
}

awaitable<Result<std::string>> MemorySpawner::log(StartPlan, SpawnState, std::size_t, Deadline) {
    BERTH_CO_CHECK(reachable());
    co_return std::string();
}

awaitable<Result<Secret>> MemorySpawner::token_of(StartPlan plan, SpawnState, Deadline) {
    BERTH_CO_CHECK(reachable());
    const auto it = entries_.find({plan.instance, number_of(plan.server)});
    if (it == entries_.end()) co_return Error{SpawnErrc::exited_early, "It is gone."};
    const auto token = it->second.plan.environment.find("JUPYTERHUB_API_TOKEN");
    if (token == it->second.plan.environment.end())
        co_return Error{SpawnErrc::exited_early, "It has no token."};
    co_return Secret(token->second);
}

awaitable<Result<Listing>> MemorySpawner::list(std::string instance, ListOf what, Deadline) {
    ++lists;
    BERTH_CO_CHECK(reachable());
    Listing listing;
    if (what == ListOf::machine) listing.foreign = foreign;
    for (const auto& [id, entry] : entries_) {
        if (id.first != instance) continue;
        const auto& plan = entry.plan;
        Endpoint endpoint{
            entry.liveness == Liveness::running ? entry.moved_to.value_or(url) : "",
            json::object{{"id", id.second}}};
        listing.found.push_back(
            {plan.server,
             plan.generation,
             plan.key,
             entry.liveness,
             plan.devices,
             plan.object_name(),
             std::move(endpoint),
             std::nullopt});
    }
    co_return listing;
}

awaitable<> MemorySpawner::watch(std::string instance, Watcher watcher) {
    (void)instance;
    for (;;) {
        while (events_.empty())
            co_await happened_.wait();
        const auto events = std::exchange(events_, {});
        for (const auto& event : events) {
            if (event.moved_to) {
                watcher.moved(event.server, event.generation, *event.moved_to);
                continue;
            }
            Status status;
            status.exit_code = 137;
            status.last_log_lines = "Killed";
            watcher.gone(event.server, event.generation, std::move(status));
        }
    }
}

void MemorySpawner::kill(ServerId server) {
    for (auto& [id, entry] : entries_) {
        if (id.second != number_of(server) || entry.liveness == Liveness::gone) continue;
        entry.liveness = Liveness::gone;
        events_.push_back({server, entry.plan.generation});
    }
    happened_.notify_all();
}

void MemorySpawner::move(ServerId server, std::string to) {
    for (auto& [id, entry] : entries_) {
        if (id.second != number_of(server) || entry.liveness == Liveness::gone) continue;
        entry.moved_to = to;
        events_.push_back({server, entry.plan.generation, to});
    }
    happened_.notify_all();
}

void MemorySpawner::set_reachable(bool reachable) {
    reachable_ = reachable;
}

std::size_t MemorySpawner::running() const {
    std::size_t count = 0;
    for (const auto& [id, entry] : entries_)
        count += entry.liveness == Liveness::running ? 1 : 0;
    return count;
}

SlowSpawner::SlowSpawner(asio::any_io_executor executor, std::chrono::milliseconds delay)
    : MemorySpawner(std::move(executor)), delay_(delay) {}

awaitable<Result<Endpoint>> SlowSpawner::start(StartPlan plan, Progress progress, Deadline deadline) {
    auto endpoint = co_await MemorySpawner::start(std::move(plan), progress, deadline);
    if (deadline.left() < delay_) {
        co_await sleep_for(deadline.left());
        co_return Error{SpawnErrc::start_timeout, "The server did not start in time."};
    }
    co_await sleep_for(delay_);
    co_return endpoint;
}

awaitable<Result<Endpoint>> NeverSpawner::start(StartPlan plan, Progress progress, Deadline deadline) {
    auto endpoint = co_await MemorySpawner::start(std::move(plan), progress, deadline);
    while (!deadline.passed())
        co_await sleep_for(std::min(deadline.left(), std::chrono::milliseconds(1h)) + 1ms);
    co_return Error{SpawnErrc::start_timeout, "The server did not start in time."};
}

awaitable<Result<Endpoint>> CrashingSpawner::start(StartPlan plan, Progress progress, Deadline deadline) {
    const ServerId server = plan.server;
    auto endpoint = co_await MemorySpawner::start(std::move(plan), progress, deadline);
    if (!endpoint) co_return endpoint;
    kill(server);
    co_return Error{
        SpawnErrc::exited_early,
        "The notebook process ended at once. Its last lines:\nModuleNotFoundError: No module named "
        "'jupyterhub'"};
}

}  // namespace berth::spawn::doubles
