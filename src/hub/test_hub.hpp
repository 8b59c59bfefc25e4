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

inline awaitable<http::Response> answer_ok(http::Request request) {
    const bool route = request.path().starts_with("/api/routes");
    if (!route) co_return http::Response::empty(200);
    if (request.method == http::Method::post) co_return http::Response::empty(201);
    if (request.method == http::Method::del) co_return http::Response::empty(204);
    co_return http::Response::json(200, json::object());
}

inline config::Options options_with_gpus(std::vector<std::string> uuids) {
    config::Options options;
    options.spawn.start_timeout = 5s;
    options.spawn.http_timeout = 3s;
    options.gpu.agent = false;
    for (auto& uuid : uuids)
        options.gpu.devices.push_back({std::move(uuid), "", {}, ""});
    return options;
}

struct TestHub {
    explicit TestHub(config::Options wanted, std::string folder = {})
        : options(std::move(wanted)),
          dir(folder.empty()
                  ? (std::filesystem::temp_directory_path() / ("berth-hub-" + random_hex(8))).string()
                  : folder) {}

    // `make`: the spawner double.
    template <class Double>
    void open(std::shared_ptr<Double> spawner_double) {
        spawner = spawner_double;
        auto opened = store::Store::open(dir);
        ASSERT_TRUE(opened) << opened.error().message;
        store = std::move(*opened);
        const auto snapshot = *store->load();
        ids.emplace(snapshot.next_id);
        directory.emplace(*store, *ids);
        directory->load(snapshot);
        inventory.emplace(options.gpu, snapshot.devices);
        auto rows = inventory->take_changed_rows();
        store->commit_later([rows](store::Transaction& t) {
            for (const auto& row : rows)
                store::upsert(t, row);
        });
        leases.emplace(options.gpu, [this](UserId id) { return directory->find(id)->name().value; });
        leases->sync(*inventory);
        leases->restore(snapshot);
        servers.emplace(io.get_executor());
        for (const auto& row : snapshot.servers) {
            auto& server = servers->add({directory->find(row.user)->name(), row.name}, row);
            if (const auto* lease = leases->of_server(row.id)) {
                server.lease = lease->id;
                server.devices = lease->devices;
            }
        }
        auto listener = net::Listener::open(io.get_executor(), net::Endpoint{"127.0.0.1", 0, ""});
        ASSERT_TRUE(listener);
        notebook.emplace(scope, std::move(*listener), "notebook", http::ServerLimits{}, false, answer_ok);
        notebook->start();
        routes.emplace(notebook->local(), Secret("token"));
        context.emplace(Context{
            scope,
            options,
            *store,
            *ids,
            *directory,
            *inventory,
            *leases,
            *spawner,
            *servers,
            *routes,
            "test",
            "http://hub/hub/api"});
        reaper.emplace(*context);
        gpus.emplace(*context);
        std::vector<store::UsageIntervalRow> usage;
        const auto since = now_utc() - GpuQueue::remembers(options.gpu);
        ASSERT_TRUE(
            run(store->read([&](store::Transaction& t) { usage = store::usage_intervals(t, since); })));
        gpus->restore(snapshot.queue, std::move(usage));
        reservations.emplace(*context, *gpus);
        drains.emplace(*context);
        context->drains = &*drains;
        ASSERT_TRUE(drains->restore());
        ASSERT_TRUE(run(reservations->restore()));
        start.emplace(*context, *reaper, *gpus);
        stop.emplace(*context, *reaper);
        reconcile.emplace(*context, *start, *reaper);
        scope.spawn("gpu queue", OnStop::cancel, gpus->run());
        start->open();
    }

    std::string notebook_url() const { return "http://" + notebook->local().to_string(); }

    // Runs `work` on the hub strand to its end; the scope's tasks go on meanwhile.
    template <class T>
    T run(awaitable<T> work) {
        std::optional<T> answer;
        bool done = false;
        asio::co_spawn(  // lint: coroutine-ok the test owns it
            io,
            std::move(work),
            [&](std::exception_ptr failure, T value) {
                if (failure) std::rethrow_exception(failure);
                answer.emplace(std::move(value));
                done = true;
            });
        while (!done)
            io.run_one();
        return std::move(*answer);
    }
    void settle(std::chrono::milliseconds span) { io.run_for(span); }

    // As kill -9 would: nothing is said to the backend, memory is gone, rows stay.
    void close() {
        asio::co_spawn(  // lint: coroutine-ok the test owns it
            io,
            scope.stop(1ms),
            [](std::exception_ptr) {});
        io.restart();
        while (scope.live() > 0)
            io.run_one();
        io.run_for(5ms);
        store->close();
        store.reset();
    }

    UserId add_user(const std::string& name) {
        if (const auto* there = directory->find(UserName(name)))
            return there->id();  // made by the configuration
        auto created = run(directory->create_user({UserName(name), false}, now_utc()));
        EXPECT_TRUE(created);
        return *created;
    }
    access::Permit permit(const ServerKey& key) const {
        return access::AccessCheck::system("system:test", "servers", access::Target::of(key));
    }
    Result<void> begin(const ServerKey& key, json::value user_options = nullptr) {
        StartRequest request;
        if (!user_options.is_null()) request.user_options = std::move(user_options);
        return run(start->begin(permit(key), key, std::move(request)));
    }
    Result<bool> wait_started(const ServerKey& key) { return run(start->wait(key, Deadline::in(4s))); }
    bool wait_gone(const ServerKey& key) { return run(stop->wait(key, Deadline::in(4s))); }

    config::Options options;
    std::string dir;
    asio::io_context io{1};
    TaskScope scope{
        io.get_executor(), [](std::string_view task, std::exception_ptr) { ADD_FAILURE() << task; }};
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

}  // namespace berth::hub::test
