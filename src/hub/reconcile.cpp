#include "hub/reconcile.hpp"

#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace berth::hub {

using namespace std::chrono_literals;

Reconcile::Reconcile(Context& context, StartServer& start, Reaper& reaper)
    : context_(context), start_(start), reaper_(reaper), gap_(context.scope.executor()) {}

awaitable<Result<void>> Reconcile::once() {
    // Servers that are active now. One whose start is committed while the list is on its way is not judged by
    // it.
    std::unordered_map<std::int64_t, std::int64_t> generations;
    for (const auto& server : context_.servers.all()) {
        if (server->active() && !server->reaping && !server->attempt)
            generations[number_of(server->row.id)] = server->row.generation;
    }
    BERTH_CO_TRY(const auto found, co_await context_.spawner.list(context_.instance, Deadline::in(30s)));
    std::unordered_map<std::int64_t, const spawn::Found*> by_server;
    for (const auto& object : found) {
        const auto server = context_.servers.find(object.server);
        const bool current = server && server->active() && server->row.generation == object.generation;
        if (current) {
            by_server[number_of(object.server)] = &object;
        } else if (!server || !server->active()) {
            reaper_.remove_stray(object);
        }
    }
    for (const auto& [id, generation] : generations) {
        const auto server = context_.servers.find(static_cast<ServerId>(id));
        if (!server || !server->active() || server->reaping || server->attempt) continue;
        if (server->row.generation != generation) continue;
        const auto object = by_server.find(id);
        settle(server, object == by_server.end() ? nullptr : object->second);
    }
    BERTH_CO_CHECK(co_await release_orphans(found));
    co_return co_await context_.routes.check(Deadline::in(10s));
}

// Leases that no row will ever end: their server's row is gone or says that it does not run. Looked for
// before starts are open, so none of them belongs to a start that is being committed; ended once the backend
// has nothing of that server any more.
awaitable<Result<void>> Reconcile::release_orphans(const std::vector<spawn::Found>& found) {
    if (first_) {
        orphans_.clear();
        for (const auto& [id, row] : context_.leases.all()) {
            const auto server = row.server ? context_.servers.find(*row.server) : nullptr;
            if (row.server && (!server || !server->active())) orphans_.push_back(id);
        }
    }
    const auto waiting = std::exchange(orphans_, {});
    for (const auto id : waiting) {
        const auto* lease = context_.leases.find(id);
        if (lease == nullptr) continue;
        const bool held = std::any_of(
            found.begin(), found.end(), [&](const auto& object) { return object.server == lease->server; });
        if (held) {
            orphans_.push_back(id);
            continue;
        }
        BERTH_CO_TRY(const auto ended, context_.leases.release(id, now_utc(), "its server is gone"));
        store::Change change = [ended](store::Transaction& t) { store::end_lease(t, ended); };
        BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
        context_.leases.apply(ended);
        log::warn("lease.orphan_ended", {{"lease", number_of(id)}});
    }
    co_return Result<void>{};
}

// True when the server goes on.
bool Reconcile::settle(const std::shared_ptr<Server>& server, const spawn::Found* found) {
    const bool runs = found != nullptr && found->liveness == spawn::Liveness::running;
    if (server->row.lifecycle == Lifecycle::stopping) {
        reaper_.finish(server, std::nullopt, "stopped");
        return false;
    }
    if (!runs) {
        std::optional<Error> failure;
        if (server->row.lifecycle == Lifecycle::starting)
            failure = Error{
                spawn::SpawnErrc::exited_early,
                "The hub was restarted while the server started. Please start it again."};
        reaper_.finish(server, std::move(failure), "found_gone");
        return false;
    }
    adopt(server, *found);
    return true;
}

void Reconcile::adopt(const std::shared_ptr<Server>& server, const spawn::Found& found) {
    if (server->row.lifecycle == Lifecycle::starting) {
        log::info("server.start_resumed", {{"server", server->key.full_name()}});
        auto plan = stored_plan(*server);
        add_device_paths(plan, context_.inventory);
        start_.resume(server, std::move(plan), found.endpoint);
        return;
    }
    if (!first_) return;
    log::info("server.adopted", {{"server", server->key.full_name()}, {"object", found.object_name}});
    context_.scope.spawn("verify " + server->key.full_name(), OnStop::cancel, verify_adopted(server));
}

// A notebook that runs is not ended for what is found now (design.md §4.6): the lease is marked lost, so that
// the board shows it and its devices stay taken, and the administrator decides.
awaitable<> Reconcile::verify_adopted(std::shared_ptr<Server> server) {
    auto plan = stored_plan(*server);
    add_device_paths(plan, context_.inventory);
    auto verified =
        co_await context_.spawner.verify(std::move(plan), server->row.spawn_state, Deadline::in(15s));
    if (verified || !verified.error().is(spawn::SpawnErrc::devices_differ) || !server->ready()) co_return;
    log::error(
        "lease.devices_differ",
        {{"server", server->key.full_name()},
         {"why", verified.error().message},
         {"detail", verified.error().detail}});
    if (!server->lease) co_return;
    const auto lost = context_.leases.mark_lost(*server->lease);
    if (!lost) co_return;
    store::Change change = [row = *lost](store::Transaction& t) { store::update(t, row); };
    if (co_await context_.store.commit(std::move(change))) context_.leases.apply(*lost);
}

awaitable<> Reconcile::run() {
    std::chrono::seconds pause = 1s;
    for (;;) {
        const auto begin = std::chrono::steady_clock::now();
        auto done = co_await once();
        const double took = obs::seconds_since(begin);
        // Routes that could not be compared are sent again; a list that did not come is no list.
        if (done || done.error().is(HubErrc::proxy_unreachable)) {
            if (!done) log::warn("reconcile.delayed", {{"detail", done.error().detail}});
            if (first_) {
                obs::jupyterhub::init_spawners_duration().plain().observe(took);
                log::info("hub.reconciled", {{"took_seconds", took}});
            }
            first_ = false;
            start_.open();
            pause = context_.options.spawn.poll_interval;
        } else {
            start_.close(done.error().message);
            log::warn(
                "backend.unreachable", {{"why", done.error().message}, {"detail", done.error().detail}});
            pause = first_ ? 2s : 10s;
        }
        (void)co_await gap_.wait_until(Deadline::in(pause));
    }
}

void Reconcile::on_gone(ServerId id, std::int64_t generation, spawn::Status status) {
    const auto server = context_.servers.find(id);
    if (!server || !server->active() || server->reaping || server->row.generation != generation) return;
    log::info(
        "server.ended",
        {{"server", server->key.full_name()},
         {"exit_code", status.exit_code.value_or(-1)},
         {"out_of_memory", status.out_of_memory}});
    server->gone = status;
    if (server->attempt) {
        server->attempt->request();
        return;
    }
    std::optional<Error> failure;
    if (status.out_of_memory)
        failure = Error{
            spawn::SpawnErrc::out_of_memory,
            "Your server was ended because it used more memory than its limit. Unsaved work in kernels is "
            "lost; files "
            "are safe. Start it again, with a profile that has more memory if there is one."};
    reaper_.finish(server, std::move(failure), status.out_of_memory ? "out_of_memory" : "ended_by_itself");
}

awaitable<> Reconcile::watch() {
    auto on_gone_now = [this](ServerId id, std::int64_t generation, spawn::Status status) {
        on_gone(id, generation, std::move(status));
    };
    spawn::OnGone gone = on_gone_now;
    std::function<void()> gap = [this] { gap_.notify_all(); };
    co_await context_.spawner.watch(context_.instance, std::move(gone), std::move(gap));
}

}  // namespace berth::hub
