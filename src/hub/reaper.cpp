#include "hub/reaper.hpp"

#include "async/back_off.hpp"
#include "base/assert.hpp"
#include "hub/edge_cache.hpp"
#include "hub/notify.hpp"
#include "identity/server_credentials.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

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

// What the person can do is to wait, or to fetch somebody who can look at the backend.
std::string stop_delay_of(const Server& server, const Error& why) {
    std::string told = "It is not stopped yet: ";
    told.append(why.message).append(" Your files are safe, and you need not ask again.");
    if (!server.devices.empty()) told += " Its GPUs stay yours until it is gone.";
    return told + " If this lasts longer than a few minutes, tell your administrator.";
}

// When the devices came free: what the backend says, as far as it can be true.
Timestamp ended_at(const Server& server, const gpu::Leases& leases, Timestamp now) {
    const auto* lease = server.lease ? leases.find(*server.lease) : nullptr;
    if (lease == nullptr || !server.gone || !server.gone->finished) return now;
    return std::min(now, std::max(lease->created, *server.gone->finished));
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

awaitable<> lead_to(Context& context, std::shared_ptr<Server> server, std::string target_url) {
    Route route = route_of(*server, std::move(target_url), context.options.base_path());
    if (context.edge != nullptr) context.edge->mark(route, *server);
    const auto routed = co_await context.routes.put(std::move(route), Deadline::in(5s));
    if (!routed)
        log::warn("route.delayed", {{"server", server->key.full_name()}, {"detail", routed.error().detail}});
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

Error ended_while_starting(const spawn::Status& status) {
    if (status.out_of_memory)
        return Error{
            spawn::SpawnErrc::out_of_memory,
            "The server used more memory than its limit while it started and was ended. Choose a profile "
            "with more "
            "memory."};
    std::string message = "The server ended while it started";
    if (status.exit_code) message += " (exit code " + std::to_string(*status.exit_code) + ")";
    message += ".";
    if (!status.last_log_lines.empty()) message += " Its last words:\n" + status.last_log_lines;
    return Error{spawn::SpawnErrc::exited_early, std::move(message)};
}

std::optional<Error> failure_of(const spawn::Status& ended) {
    if (!ended.out_of_memory) return std::nullopt;
    return Error{
        spawn::SpawnErrc::out_of_memory,
        "Your server was ended because it used more memory than its limit. Unsaved work in kernels is lost; "
        "files are safe. Start it again, with a profile that has more memory if there is one."};
}

std::string sentence_of(const spawn::Status& ended) {
    constexpr int kKilled = 128 + 9;  // as shells and engines tell a signal
    if (ended.out_of_memory || ended.exit_code != kKilled) return {};
    return "Your server was killed (signal 9), and not by the hub. Nothing says why; most often it is that "
           "memory "
           "ran out. Unsaved work in kernels is lost; files are safe.";
}

// An engine that was killed itself does not know how its containers ended.
constexpr std::string_view kFoundGone =
    "Your server had ended when the hub looked for it, and nothing says why. If nobody shut it down in "
    "JupyterLab, most often memory ran out. Unsaved work in kernels is lost; files are safe.";

void Reaper::finish_gone(std::shared_ptr<Server> server) {
    BERTH_ASSERT(server->active());
    if (server->reaping) return;
    server->reaping = true;
    auto name = "reap " + server->key.full_name();
    context_.scope.spawn(std::move(name), OnStop::cancel, look_and_work(std::move(server)));
}

awaitable<> Reaper::look_and_work(std::shared_ptr<Server> server) {
    const bool was_ready = server->ready();
    auto ended =
        co_await context_.spawner.poll(stored_plan(*server), server->row.spawn_state, Deadline::in(10s));
    std::optional<Error> failure;
    if (ended && ended->liveness == spawn::Liveness::running) {  // the list was old
        server->reaping = false;
        server->changed.notify_all();
        co_return;
    }
    if (ended) {
        failure = failure_of(*ended);
        server->stop_sentence = sentence_of(*ended);
        server->gone = std::move(*ended);
    }
    if (was_ready && !failure && server->stop_sentence.empty()) server->stop_sentence = kFoundGone;
    if (!was_ready && !failure) failure = ended_while_starting(server->gone.value_or(spawn::Status{}));
    server->failure = failure;
    server->changed.notify_all();
    const bool starved = failure && failure->is(spawn::SpawnErrc::out_of_memory);
    co_await work(std::move(server), std::move(failure), starved ? "out_of_memory" : "found_gone");
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
    const auto routespec = server->prefix(context_.options.base_path());
    const auto unrouted = co_await context_.routes.withdraw(routespec, Deadline::in(5s));
    co_await remove_object(stored_plan(*server), server->row.spawn_state, server);
    // The engine may give the address to somebody else's server: nothing must lead there any more.
    if (!unrouted) (void)co_await context_.routes.withdraw(routespec, Deadline::in(60s));
    co_await mark_gone(std::move(server), std::move(failure), std::move(end_reason));
    const double took = obs::seconds_since(begin);
    obs::jupyterhub::server_stop_duration().with({{"status", "success"}}).observe(took);
}

awaitable<Result<void>> Reaper::mark_stopping(std::shared_ptr<Server> server) {
    auto row = server->row;
    row.lifecycle = Lifecycle::stopping;
    if (server->failure) row.failure = server->failure->message;
    if (!server->stop_sentence.empty()) row.stopped_because = server->stop_sentence;
    std::optional<store::LeaseRow> lease;
    if (server->lease) {
        if (auto drained = context_.leases.drain(*server->lease)) lease = *drained;
    }
    store::Change change = [row, lease, record = server->stop_record](store::Transaction& transaction) {
        store::update(transaction, row);
        if (lease) store::update(transaction, *lease);
        if (record) store::insert(transaction, *record);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    if (lease) context_.leases.apply(*lease);
    server->stop_record.reset();
    server->row = std::move(row);
    server->changed.notify_all();
    co_return Result<void>{};
}

awaitable<> Reaper::remove_object(
    spawn::StartPlan plan, spawn::SpawnState state, std::shared_ptr<Server> server) {
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
        if (server) {
            server->stop_delayed = stop_delay_of(*server, stopped.error());
            server->changed.notify_all();
        }
        co_await pause.wait();
    }
}

// A start that failed was told by itself; an end that its people asked for is no news.
void Reaper::tell_of_end(
    const Server& server, const std::optional<Error>& failure, const std::string& end_reason) const {
    const auto& why = failure ? failure->message : server.stop_sentence;
    if (context_.notices != nullptr && end_reason != "start_failed" && !why.empty())
        context_.notices->ended(server, why);
}

awaitable<> Reaper::mark_gone(
    std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason) {
    BackOff pause;
    for (;;) {
        auto row = server->row;
        row.lifecycle = failure ? Lifecycle::failed : Lifecycle::stopped;
        row.failure = failure ? failure->message : "";
        if (!server->stop_sentence.empty()) row.stopped_because = server->stop_sentence;
        row.spawn_plan = nullptr;
        row.spawn_state = nullptr;
        row.target_url.clear();
        row.started.reset();
        const auto now = now_utc();
        std::optional<store::LeaseRow> lease;
        if (server->lease) {
            const auto ended = ended_at(*server, context_.leases, now);
            if (auto released = context_.leases.release(*server->lease, ended, end_reason)) lease = *released;
        }
        auto credentials = identity::remove_server_credentials(context_.directory, row.id, server->key);
        const auto audit = audit_of(*server, "server.end", failure ? "failed" : "ok", end_reason);
        // Who asked for it, if the disk was full when the row was to say that it stops.
        const auto asked = server->stop_record;
        store::Change change = [row, lease, asked, audit, write = credentials.write](store::Transaction& t) {
            store::update(t, row);
            if (lease) store::end_lease(t, *lease);
            store::remove_queue_entries(t, row.id);
            write(t);
            if (asked) store::insert(t, *asked);
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
    tell_of_end(*server, failure, end_reason);
    server->lease.reset();
    server->devices.clear();
    server->queued.reset();
    server->gone.reset();
    server->cut_off.reset();
    server->ending.reset();
    server->hint.clear();
    server->stop_sentence.clear();
    server->stop_delayed.clear();
    server->stop_record.reset();
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
    const auto* user = context_.directory.find(found.key.user);
    auto devices = context_.leases.book(
        context_.ids.next<LeaseId>(),
        user == nullptr ? std::nullopt : std::optional(user->id()),
        found.server,
        found.generation,
        found.devices,
        now_utc());
    context_.scope.spawn(
        "remove " + found.object_name,
        OnStop::cancel,
        remove_stray_object(std::move(plan), found.endpoint.state, found.object_name, std::move(devices)));
}

awaitable<> Reaper::remove_stray_object(
    spawn::StartPlan plan, spawn::SpawnState state, std::string object_name, gpu::DeviceLease devices) {
    co_await remove_object(std::move(plan), std::move(state), nullptr);
    const gpu::DeviceLease free_now = std::move(devices);
    strays_.erase(object_name);
}

}  // namespace berth::hub
