// Spawners that misbehave in one way each, for the tests of every room. All keep their servers in memory and
// pass the contract suite (spawn/spawner_contract_test.hpp) but for the one thing they are named after. Hub
// strand only.
#pragma once

#include "async/notifier.hpp"
#include "spawn/spawner.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::spawn::doubles {

// Behaves: a server is an entry in a map. The base of the misbehaving ones.
class MemorySpawner : public Spawner {
public:
    explicit MemorySpawner(const asio::any_io_executor& executor);

    std::string_view name() const override { return "memory"; }
    awaitable<Result<void>> check(Deadline deadline) override;
    std::string hub_listen_address() const override { return "127.0.0.1"; }
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;
    awaitable<Result<void>> verify(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<void>> stop(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<Status>> poll(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<std::string>> log(
        StartPlan plan, SpawnState state, std::size_t lines, Deadline deadline) override;
    awaitable<Result<Listing>> list(std::string instance, ListOf what, Deadline deadline) override;
    awaitable<Result<Secret>> token_of(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<> watch(std::string instance, Watcher watcher) override;

    // For tests: ends a server behind the hub's back; makes every call fail as if the backend were down.
    void kill(ServerId server);
    // It runs on, at `to`; "": nowhere.
    void move(ServerId server, std::string to);
    void set_reachable(bool reachable);
    void set_removable(bool removable) { removable_ = removable; }  // false: stop() fails as a hung backend's
    std::size_t running() const;
    const std::vector<StartPlan>& started() const { return started_; }  // every plan that start() was given

    std::string url = "http://127.0.0.1:9";  // what start() answers
    std::vector<Foreign> foreign;            // what list() says beside ours
    std::optional<int> exit_code = 137;      // of what was killed
    std::optional<Timestamp> finished;       // when what was killed ended
    std::size_t lists = 0;                   // calls of list()

protected:
    struct Entry {
        StartPlan plan;
        Liveness liveness = Liveness::running;
        std::optional<std::string> moved_to = {};
    };
    struct Event {
        ServerId server{};
        std::int64_t generation = 0;
        std::optional<std::string> moved_to = {};  // none: it is gone
    };
    Result<void> reachable() const;

    std::map<std::pair<std::string, std::int64_t>, Entry> entries_;  // by instance and server
    std::vector<Event> events_;
    Notifier happened_;
    bool reachable_ = true;
    bool removable_ = true;
    std::vector<StartPlan> started_;
};

// Starts after `delay`; the half-made server is there from the beginning.
class SlowSpawner final : public MemorySpawner {
public:
    SlowSpawner(asio::any_io_executor executor, std::chrono::milliseconds delay);
    std::string_view name() const override { return "slow"; }
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;

private:
    std::chrono::milliseconds delay_;
};

// Never comes to an end of start(), but for its deadline or cancellation. The half-made server stays behind.
class NeverSpawner final : public MemorySpawner {
public:
    using MemorySpawner::MemorySpawner;
    std::string_view name() const override { return "never"; }
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;
};

// The process ends at once: start() is exited_early with its last words, and the dead object stays behind.
class CrashingSpawner final : public MemorySpawner {
public:
    using MemorySpawner::MemorySpawner;
    std::string_view name() const override { return "crashing"; }
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;
};

// Says that it runs, and nothing answers at its address.
class LyingSpawner final : public MemorySpawner {
public:
    using MemorySpawner::MemorySpawner;
    std::string_view name() const override { return "lying"; }
};

}  // namespace berth::spawn::doubles
