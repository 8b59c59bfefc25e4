#include "hub/reconcile.hpp"

#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>
#include <utility>

namespace berth::hub {

using namespace std::chrono_literals;

Reconcile::Reconcile(Context& context, StartServer& start, Reaper& reaper)
    : context_(context),
      start_(start),
      reaper_(reaper),
      strays_(context, reaper),
      addresses_(context),
      external_(context),
      gap_(context.scope.executor()) {}

// Those that are active now. What is committed or ends while the list is on its way is not judged by it.
Reconcile::Generations Reconcile::active_servers() const {
    Generations generations;
    for (const auto& server : context_.servers.all()) {
        if (server->active()) generations[number_of(server->row.id)] = server->row.generation;
    }
    return generations;
}

awaitable<Result<void>> Reconcile::once() {
    gap_seen_ = false;
    const auto before = active_servers();
    const auto what = counts_foreign() ? spawn::ListOf::machine : spawn::ListOf::ours;
    BERTH_CO_TRY(auto listing, co_await context_.spawner.list(context_.instance, what, Deadline::in(30s)));
    external_.take_listing(listing);
    Objects objects;
    for (const auto& object : listing.found) {
        const auto server = context_.servers.find(object.server);
        if (server && server->active() && server->row.generation == object.generation)
            objects[number_of(object.server)] = &object;
    }
    for (const auto& [id, generation] : before) {
        const auto server = context_.servers.find(static_cast<ServerId>(id));
        if (!server || !server->active() || server->reaping || server->attempt || server->taking_up) continue;
        if (server->row.generation != generation) continue;
        const auto object = objects.find(id);
        settle(server, object == objects.end() ? nullptr : object->second);
    }
    take_up(std::exchange(untouched_, {}));
    co_await strays_.settle(strays_among(listing.found, before));
    BERTH_CO_CHECK(co_await release_orphans(listing.found));
    co_return co_await context_.routes.check(Deadline::in(10s));
}

// What no row asks for, and what did not belong to an active server either when the list was asked for.
std::vector<spawn::Found> Reconcile::strays_among(
    const std::vector<spawn::Found>& found, const Generations& before) const {
    std::vector<spawn::Found> strays;
    for (const auto& object : found) {
        const auto server = context_.servers.find(object.server);
        const bool active = server && server->active();
        if (active && server->row.generation <= object.generation && server->key == object.key) continue;
        const auto earlier = before.find(number_of(object.server));
        if (earlier != before.end() && earlier->second == object.generation) continue;
        if (active && server->key != object.key) {
            log::error(
                "stray.of_another_server",
                {{"object", object.object_name}, {"server", server->key.full_name()}});
            continue;  // its labels would have the other's container removed with it
        }
        strays.push_back(object);
    }
    return strays;
}

// Simulated GPUs are not on this machine, so nobody else can be on them.
bool Reconcile::counts_foreign() const {
    return context_.inventory.any() && !context_.inventory.simulated();
}

// Leases that no row will ever end: their server's row is gone, or says that it does not run, or has another
// one. Ended once the backend has nothing of that server any more; while the hub runs only those that were
// there at the last pass already.
awaitable<Result<void>> Reconcile::release_orphans(const std::vector<spawn::Found>& found) {
    std::set<ServerId> held;
    for (const auto& object : found)
        held.insert(object.server);
    std::set<LeaseId> orphans;
    for (const auto& [id, row] : context_.leases.all()) {
        if (!row.server || !context_.leases.is_durable(id)) continue;
        const auto server = context_.servers.find(*row.server);
        const bool wanted = server && server->active() && server->lease == id;
        if (!wanted && !held.contains(*row.server)) orphans.insert(id);
    }
    const auto before = std::exchange(orphans_, orphans);
    for (const auto id : orphans) {
        if (!first_ && !before.contains(id)) continue;
        const auto* lease = context_.leases.find(id);
        if (lease == nullptr) continue;
        BERTH_CO_TRY(const auto ended, context_.leases.release(id, now_utc(), "its server is gone"));
        store::Change change = [ended](store::Transaction& t) { store::end_lease(t, ended); };
        BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
        context_.leases.apply(ended);
        log::warn("lease.orphan_ended", {{"lease", number_of(id)}});
    }
    co_return Result<void>{};
}

void Reconcile::settle(const std::shared_ptr<Server>& server, const spawn::Found* found) {
    if (server->row.lifecycle == Lifecycle::stopping) {
        reaper_.finish(server, server->failure, "stopped");  // why it ends outlives the hub that knew
    } else if (found != nullptr && found->liveness == spawn::Liveness::running) {
        adopt(server, *found);
        addresses_.is_at(server, found->endpoint.url);
    } else if (server->to_start()) {
        untouched_.push_back(server);
    } else {
        reaper_.finish_gone(server);
    }
}

// An earlier hub promised these starts and could not keep it: they go on in the order they were asked for, so
// long as somebody may still be waiting.
void Reconcile::take_up(std::vector<std::shared_ptr<Server>> starts) {
    std::sort(starts.begin(), starts.end(), [](const auto& a, const auto& b) {
        return std::pair(a->row.started, a->row.id) < std::pair(b->row.started, b->row.id);
    });
    const auto& limits = context_.options.spawn;
    for (auto& server : starts) {
        const bool waited = server->row.lifecycle == Lifecycle::waiting;
        const auto longest = server->queued ? context_.options.gpu.queue.longest_wait
                             : waited       ? limits.turn_timeout
                                            : limits.start_timeout;
        if (now_utc() - server->row.started.value_or(Timestamp{}) > longest) {
            Error late{
                spawn::SpawnErrc::start_timeout,
                "The hub was away while the server was to start. Please start it again."};
            reaper_.finish(std::move(server), std::move(late), "start_failed");
            continue;
        }
        auto name = "take up " + server->key.full_name();
        context_.scope.spawn(std::move(name), OnStop::cancel, start_.again(TakingUp(std::move(server))));
    }
}

void Reconcile::adopt(const std::shared_ptr<Server>& server, const spawn::Found& found) {
    if (server->to_start() && found.endpoint.url.empty()) {
        reaper_.finish(server, cut_off_while_starting(), "start_failed");
        return;
    }
    if (server->to_start()) {
        log::info("server.start_resumed", {{"server", server->key.full_name()}});
        auto plan = stored_plan(*server);
        add_device_paths(plan, context_.inventory);
        start_.resume(server, std::move(plan), found.endpoint);
        return;
    }
    if (!first_) return;
    // Its label says which devices it was given; only where devices come in is it looked at closer.
    const bool plain = !server->lease && found.devices.empty();
    if (plain) {
        log::debug("server.adopted", {{"server", server->key.full_name()}, {"object", found.object_name}});
        return;
    }
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
            pause = 2s;  // starts are refused meanwhile
        }
        if (!gap_seen_) (void)co_await gap_.wait_until(Deadline::in(pause));
    }
}

void Reconcile::on_moved(ServerId id, std::int64_t generation, const std::string& url) {
    const auto server = context_.servers.find(id);
    if (server && server->row.generation == generation) addresses_.is_at(server, url);
}

void Reconcile::on_gone(ServerId id, std::int64_t generation, spawn::Status status) {
    const auto server = context_.servers.find(id);
    if (!server || !server->active() || server->reaping || server->taking_up) return;
    if (server->row.generation != generation) return;
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
    server->stop_sentence = sentence_of(status);
    reaper_.finish(server, failure_of(status), status.out_of_memory ? "out_of_memory" : "ended_by_itself");
}

awaitable<> Reconcile::watch() {
    spawn::Watcher watcher;
    watcher.gone = [this](ServerId id, std::int64_t generation, spawn::Status status) {
        on_gone(id, generation, std::move(status));
    };
    watcher.moved = [this](ServerId id, std::int64_t generation, const std::string& url) {
        on_moved(id, generation, url);
    };
    watcher.gap = [this] {
        gap_seen_ = true;
        gap_.notify_all();
    };
    co_await context_.spawner.watch(context_.instance, std::move(watcher));
}

}  // namespace berth::hub
