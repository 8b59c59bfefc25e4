// A hub without its HTTP face, for tests: the real store in a temporary folder, directory, leases and use
// cases, with a spawner double behind them and a server that answers like a notebook (and like the proxy's
// API).
#pragma once

#include "base/random.hpp"
#include "http/server.hpp"
#include "hub/drains.hpp"
#include "hub/reconcile.hpp"
#include "hub/reservations.hpp"
#include "hub/start_server.hpp"
#include "hub/stop_server.hpp"
#include "spawn/doubles.hpp"
#include "store/queries.hpp"

#include <boost/asio/co_spawn.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

namespace berth::hub::test {

using namespace std::chrono_literals;

// The servers of three people.
inline const ServerKey kAnn{UserName("ann"), ServerName("")};
inline const ServerKey kBob{UserName("bob"), ServerName("")};
inline const ServerKey kEve{UserName("eve"), ServerName("")};

awaitable<http::Response> answer_ok(http::Request request);

config::Options options_with_gpus(std::vector<std::string> uuids);

// What it does stands in test_hub.cpp, compiled once: under the sanitizers this is most of a test's compile
// time.
struct TestHub {
    explicit TestHub(config::Options wanted, std::string folder = {});
    ~TestHub();
    TestHub(const TestHub&) = delete;

    // Everything, with that double behind it.
    void open(std::shared_ptr<spawn::Spawner> spawner_double);

    std::string notebook_url() const { return "http://" + notebook->local().to_string(); }

    // Runs `work` on the hub strand to its end; the scope's tasks go on meanwhile.
    template <class T>
    T run(awaitable<T> work) {
        std::optional<T> answer;
        run_to_end(keep(std::move(work), answer));
        return std::move(*answer);
    }
    void settle(std::chrono::milliseconds span) { io.run_for(span); }

    // As kill -9 would: nothing is said to the backend, memory is gone, rows stay.
    void close();

    UserId add_user(const std::string& name);
    access::Permit permit(const ServerKey& key) const;
    Result<void> begin(const ServerKey& key, json::value user_options = nullptr);
    Result<bool> wait_started(const ServerKey& key);
    bool wait_gone(const ServerKey& key);

    void run_to_end(awaitable<> work);
    template <class T>
    static awaitable<> keep(awaitable<T> work, std::optional<T>& answer) {
        answer.emplace(co_await std::move(work));
    }

    config::Options options;
    std::string dir;
    asio::io_context io{1};
    TaskScope scope;
    std::shared_ptr<spawn::Spawner> spawner;
    std::unique_ptr<store::Store> store;
    std::optional<store::Ids> ids;
    std::optional<identity::Directory> directory;
    std::optional<gpu::Inventory> inventory;
    std::optional<gpu::Leases> leases;
    std::optional<Servers> servers;
    std::optional<http::Server> notebook;
    std::optional<Routes> routes;
    std::optional<Context> context;
    std::optional<Reaper> reaper;
    std::optional<GpuQueue> gpus;
    std::optional<Reservations> reservations;
    std::optional<Drains> drains;
    std::optional<StartServer> start;
    std::optional<StopServer> stop;
    std::optional<Reconcile> reconcile;
};

// A hub with ann, bob and eve over containers in memory. open() again is a restart over the same rows.
struct ThreePeople : testing::Test {
    ~ThreePeople() override;
    void open();
    void stop(const ServerKey& key);

    config::Options options = options_with_gpus({"GPU-a"});
    std::optional<TestHub> hub;
    std::shared_ptr<spawn::doubles::MemorySpawner> spawner;
};

}  // namespace berth::hub::test
