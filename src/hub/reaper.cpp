#include "hub/reaper.hpp"

#include "base/assert.hpp"
#include "identity/server_credentials.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

// 0.5 s, 1 s, 2 s … 30 s: the backend is down or busy, and nobody waits for us.
class BackOff {
public:
    awaitable<> wait() {
        const auto now = pause_;
        pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, 30s);
        co_await sleep_for(now);
    }

private:
    std::chrono::milliseconds pause_{500ms};
};

store::AuditRow audit_of(const Server& server, std::string action, std::string result, std::string detail) {
    store::AuditRow audit;
    audit.at = now_utc();
    audit.principal = "system:reaper";
    audit.action = std::move(action);
    audit.target = server.key.full_name();
    audit.permit = "servers";
    audit.result = std::move(result);
    audit.detail = std::move(detail);
    return audit;
}

}  // namespace

spawn::StartPlan stored_plan(const Server& server) {
    const auto* stored = server.row.spawn_plan.if_object();
    BERTH_ASSERT(stored != nullptr);  // committed with every start
    return spawn::StartPlan::from_stored(*stored);
}

void add_device_paths(spawn::StartPlan& plan, const gpu::Inventory& inventory) {
    for (const auto& uuid : plan.devices) {
        const auto* device = inventory.find(uuid);
        if (device != nullptr && !device->path.empty()) plan.device_paths[uuid.value] = device->path;
    }
}

Route route_of(const Server& server, std::string target_url, std::string_view base_path) {
    Route route;
    route.routespec = server.prefix(base_path);
    route.target = std::move(target_url);
    route.data = {{"user", server.key.user.value}, {"server_name", server.key.server.value}};
    return route;
}

void Reaper::finish(std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason) {
    BERTH_ASSERT(server->active());
    if (server->reaping) return;
    server->reaping = true;
    server->attempt = nullptr;
    server->failure = failure;
    if (failure) {
        log::info(
            "server.failed",
            {{"server", server->key.full_name()}, {"why", failure->message}, {"detail", failure->detail}});
    }
    server->changed.notify_all();
    auto name = "reap " + server->key.full_name();
    context_.scope.spawn(
        std::move(name), OnStop::cancel, work(std::move(server), std::move(failure), std::move(end_reason)));
}

awaitable<> Reaper::work(
    std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason) {
    const auto begin = std::chrono::steady_clock::now();
    // With a full disk the row cannot say it, and yet the server must end: the lease waits for mark_gone().
    BackOff store_pause;
    for (int tries = 0; tries < 3; ++tries) {
        const auto marked = co_await mark_stopping(server);
        if (marked) break;
        log::error("store.failed", {{"act", "mark stopping"}, {"detail", marked.error().detail}});
        co_await store_pause.wait();
    }
    const bool unrouted = co_await unroute(server, Deadline::in(5s));
    co_await remove_object(stored_plan(*server), server->row.spawn_state);
    // The engine may give the address to somebody else's server: nothing must lead there any more.
    if (!unrouted) (void)co_await unroute(server, Deadline::in(60s));
    co_await mark_gone(std::move(server), std::move(failure), std::move(end_reason));
    const double took = obs::seconds_since(begin);
    obs::jupyterhub::server_stop_duration().with({{"status", "success"}}).observe(took);
}

awaitable<bool> Reaper::unroute(std::shared_ptr<Server> server, Deadline limit) {
    BackOff pause;
    for (;;) {
        auto gone = co_await context_.routes.remove(server->prefix(context_.options.base_path()), limit);
        if (gone) co_return true;
        log::warn("route.delayed", {{"server", server->key.full_name()}, {"detail", gone.error().detail}});
        if (limit.passed()) co_return false;
        co_await pause.wait();
    }
}

awaitable<Result<void>> Reaper::mark_stopping(std::shared_ptr<Server> server) {
    auto row = server->row;
    row.lifecycle = Lifecycle::stopping;
    if (server->failure) row.failure = server->failure->message;
    std::optional<store::LeaseRow> lease;
    if (server->lease) {
        if (auto drained = context_.leases.drain(*server->lease)) lease = *drained;
    }
    store::Change change = [row, lease](store::Transaction& transaction) {
        store::update(transaction, row);
        if (lease) store::update(transaction, *lease);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    if (lease) context_.leases.apply(*lease);
    server->row = std::move(row);
    server->changed.notify_all();
    co_return Result<void>{};
}

awaitable<> Reaper::remove_object(spawn::StartPlan plan, spawn::SpawnState state) {
    BackOff pause;
    for (;;) {
        const auto limit = Deadline::in(context_.options.spawn.stop_timeout + 15s);
        auto stopped = co_await context_.spawner.stop(plan, state, limit);
        if (stopped) co_return;
        log::warn(
            "server.stop_delayed",
            {{"server", plan.key.full_name()},
             {"why", stopped.error().message},
             {"detail", stopped.error().detail}});
        co_await pause.wait();
    }
}

awaitable<> Reaper::mark_gone(
    std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason) {
    BackOff pause;
    for (;;) {
        auto row = server->row;
        row.lifecycle = failure ? Lifecycle::failed : Lifecycle::stopped;
        row.failure = failure ? failure->message : "";
        row.spawn_plan = nullptr;
        row.spawn_state = nullptr;
        row.target_url.clear();
        row.started.reset();
        const auto now = now_utc();
        std::optional<store::LeaseRow> lease;
        if (server->lease) {
            if (auto released = context_.leases.release(*server->lease, now, end_reason)) lease = *released;
        }
        auto credentials = identity::remove_server_credentials(context_.directory, row.id, server->key);
        const auto audit = audit_of(*server, "server.end", failure ? "failed" : "ok", end_reason);
        store::Change change = [row, lease, audit, write = credentials.write](store::Transaction& t) {
            store::update(t, row);
            if (lease) store::end_lease(t, *lease);
            write(t);
            store::insert(t, audit);
        };
        const auto committed = co_await context_.store.commit(std::move(change));
        if (committed) {
            if (lease) context_.leases.apply(*lease);
            credentials.apply();
            server->row = std::move(row);
            break;
        }
        log::error("store.failed", {{"act", "mark gone"}, {"detail", committed.error().detail}});
        co_await pause.wait();
    }
    server->lease.reset();
    server->devices.clear();
    server->gone.reset();
    server->reaping = false;
    log::info("server.stopped", {{"server", server->key.full_name()}, {"why", end_reason}});
    server->changed.notify_all();
}

awaitable<bool> Reaper::wait_until_gone(std::shared_ptr<Server> server, Deadline deadline) {
    while (server->active()) {
        const bool changed = co_await server->changed.wait_until(deadline);
        if (!changed) co_return !server->active();
    }
    co_return true;
}

void Reaper::remove_stray(spawn::Found found) {
    if (!strays_.insert(found.object_name).second) return;  // it is being removed already
    log::warn(
        "stray.found",
        {{"object", found.object_name}, {"server", found.key.full_name()}, {"generation", found.generation}});
    spawn::StartPlan plan;
    plan.instance = context_.instance;
    plan.key = found.key;
    plan.server = found.server;
    plan.generation = found.generation;
    plan.devices = found.devices;
    context_.scope.spawn(
        "remove " + found.object_name,
        OnStop::cancel,
        remove_stray_object(std::move(plan), found.endpoint.state, found.object_name));
}

awaitable<> Reaper::remove_stray_object(
    spawn::StartPlan plan, spawn::SpawnState state, std::string object_name) {
    co_await remove_object(std::move(plan), std::move(state));
    strays_.erase(object_name);
}

}  // namespace berth::hub
