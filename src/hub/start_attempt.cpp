// A start after its commit: waits for its devices and its turn, then backend, verification, readiness, route.
#include "hub/edge_cache.hpp"
#include "hub/notify.hpp"
#include "hub/readiness.hpp"
#include "hub/start_server.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

// Lives from the committed intent until the server is ready. Destroyed before, by an error, an exception or a
// cancellation, it gives the server to the reaper, which removes what the backend holds and then ends the
// lease.
class StartAttempt {
public:
    StartAttempt(Reaper& reaper, std::shared_ptr<Server> server)
        : reaper_(&reaper), server_(std::move(server)) {}
    StartAttempt(const StartAttempt&) = delete;
    ~StartAttempt() {
        if (reaper_) reaper_->finish(server_, std::move(failure_), "start_failed");
    }

    void fail(Error failure) { failure_ = std::move(failure); }
    void commit() noexcept { reaper_ = nullptr; }

private:
    Reaper* reaper_;
    std::shared_ptr<Server> server_;
    std::optional<Error> failure_ =
        Error{HubErrc::start_cancelled, "The start was interrupted inside the hub. Please start again."};
};

// Why an attempt that was asked to stop ended.
Error stop_reason(const Server& server) {
    if (server.cut_off) return *server.cut_off;
    if (server.gone) return ended_while_starting(*server.gone);
    return Error{HubErrc::start_cancelled, "The start was cancelled."};
}

}  // namespace

void StartServer::resume(
    const std::shared_ptr<Server>& server, spawn::StartPlan plan, spawn::Endpoint endpoint) {
    server->attempt = std::make_shared<StopSource>(context_.scope.executor());
    server->tell(60, "The hub was restarted; going on with the start");
    context_.scope.spawn(
        "resume " + server->key.full_name(),
        OnStop::cancel,
        attempt(
            server,
            std::move(plan),
            std::move(endpoint),
            line_.enter_running(server->row.id, server->key.user),
            GpuQueue::Place()));
}

awaitable<> StartServer::attempt(
    std::shared_ptr<Server> server,
    spawn::StartPlan plan,
    std::optional<spawn::Endpoint> found,
    StartLine::Place place,
    GpuQueue::Place gpus) {
    StartAttempt guard(reaper_, server);
    const auto source = server->attempt;
    const bool waited = static_cast<bool>(gpus);
    const Error stopped{HubErrc::start_cancelled, "The start was cancelled."};
    auto turn = take_devices_and_turn(server, plan, gpus, place);
    auto outcome = co_await stoppable(*source, stopped, std::move(turn));
    const auto begin = std::chrono::steady_clock::now();
    if (outcome) {
        auto work = bring_up_in_time(server, std::move(plan), std::move(found));
        outcome = co_await stoppable(*source, stopped, std::move(work));
    }
    const double took = obs::seconds_since(begin);
    const std::string status = outcome ? "success" : "failure";
    const std::string reason = outcome ? "" : server->gone ? "exited" : "error";
    obs::jupyterhub::server_spawn_duration().with({{"status", status}, {"reason", reason}}).observe(took);
    if (!outcome) {
        auto why = source->requested() ? stop_reason(*server) : outcome.error();
        if (context_.notices != nullptr && !why.is(HubErrc::start_cancelled))
            context_.notices->failed(*server, why.message);
        guard.fail(std::move(why));
        co_return;
    }
    guard.commit();
    if (waited && context_.notices != nullptr) context_.notices->ready(*server);
    log::info("server.started", {{"server", server->key.full_name()}, {"took_seconds", took}});
}

// A start without devices enters the line only once it has them. `plan` gets them.
awaitable<Result<void>> StartServer::take_devices_and_turn(
    std::shared_ptr<Server> server, spawn::StartPlan& plan, GpuQueue::Place& gpus, StartLine::Place& place) {
    if (gpus) {
        BERTH_CO_CHECK(co_await take_devices(server, plan, gpus));
        place = line_.enter(server->row.id, server->key.user);
    }
    co_return co_await take_turn(std::move(server), place);
}

awaitable<Result<void>> StartServer::take_devices(
    std::shared_ptr<Server> server, spawn::StartPlan& plan, GpuQueue::Place& gpus) {
    const auto waited = std::max(now_utc() - gpus.row().enqueued, Timestamp::duration{0});
    const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(
        context_.options.gpu.queue.longest_wait - waited);
    const auto limit = Deadline::in(std::max(longest, 0ms));
    for (;;) {
        BERTH_CO_CHECK(co_await gpus.wait(limit));
        auto granted = book(server->row, gpus);
        auto done = granted ? co_await commit_devices(server, plan, *granted) : Result<void>(granted.error());
        if (done) {
            std::move(gpus).confirm(std::move(granted->claim).keep());
            co_return done;
        }
        log::warn(
            "gpu.grant_delayed",
            {{"server", server->key.full_name()},
             {"why", done.error().message},
             {"detail", done.error().detail}});
        gpus.put_back();
    }
}

awaitable<Result<void>> StartServer::commit_devices(
    std::shared_ptr<Server> server, spawn::StartPlan& plan, gpu::Leases::Granted& granted) {
    const auto& lease = granted.row;
    plan.lease = lease.id;
    plan.devices = lease.devices;
    add_device_paths(plan, context_.inventory);
    auto row = server->row;
    row.spawn_plan = plan.to_stored();
    row.started = now_utc();
    store::Change change = [row, lease](store::Transaction& t) {
        store::update(t, row);
        store::remove_queue_entries(t, row.id);
        store::insert(t, lease);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    server->row = std::move(row);
    server->lease = lease.id;
    server->devices = lease.devices;
    server->queued.reset();
    server->tell(0, lease.devices.size() == 1 ? "A GPU is free for it" : "Its GPUs are free");
    co_return Result<void>{};
}

// Waits in the line; then the row says that the start is under way.
awaitable<Result<void>> StartServer::take_turn(std::shared_ptr<Server> server, StartLine::Place& place) {
    const auto longest = context_.options.spawn.turn_timeout;
    const bool came = co_await place.wait_for_turn(Deadline::in(longest));
    if (!came)
        co_return Error{
            spawn::SpawnErrc::start_timeout,
            "The start waited " + std::to_string(longest.count()) +
                " s for its turn and was given up. Try again when fewer servers start; the administrator can "
                "raise spawn.concurrent_starts or spawn.turn_timeout."};
    if (server->row.lifecycle != Lifecycle::waiting) co_return Result<void>{};
    auto row = server->row;
    row.lifecycle = Lifecycle::starting;
    row.started = now_utc();
    store::Change change = [row](store::Transaction& t) { store::update(t, row); };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    server->row = std::move(row);
    server->tell(1, "It is this server's turn to start");
    co_return Result<void>{};
}

awaitable<Result<void>> StartServer::bring_up_in_time(
    std::shared_ptr<Server> server, spawn::StartPlan plan, std::optional<spawn::Endpoint> found) {
    const auto longest = context_.options.spawn.start_timeout;
    Error late{
        spawn::SpawnErrc::start_timeout,
        "The server did not start within " + std::to_string(longest.count()) +
            " s. Try again; if it happens again, the administrator can raise spawn.start_timeout."};
    auto work = bring_up(std::move(server), std::move(plan), std::move(found));
    co_return co_await with_deadline(Deadline::in(longest), std::move(late), std::move(work));
}

awaitable<Result<void>> StartServer::bring_up(
    std::shared_ptr<Server> server, spawn::StartPlan plan, std::optional<spawn::Endpoint> found) {
    const auto limit = Deadline::in(context_.options.spawn.start_timeout);
    spawn::Progress progress = [server](int percent, std::string message) {
        server->tell(percent, std::move(message));
    };
    if (context_.edge != nullptr) co_await context_.edge->announce(server, plan.profile.image);
    if (!found) {
        BERTH_CO_TRY(auto endpoint, co_await context_.spawner.start(plan, std::move(progress), limit));
        found = std::move(endpoint);
    }
    const spawn::Endpoint endpoint = *found;
    BERTH_CO_CHECK(co_await mark_bound(server, plan, endpoint));
    // Also without a lease: then no device may be visible.
    auto verified = co_await context_.spawner.verify(plan, endpoint.state, limit.earliest(Deadline::in(15s)));
    if (!verified) {
        if (verified.error().is(spawn::SpawnErrc::devices_differ)) {
            for (const auto& uuid : plan.devices)
                context_.inventory.note_verify_failure(uuid, now_utc());
            context_.leases.sync(context_.inventory);
        }
        co_return verified.error();
    }
    server->tell(70, "Waiting for the notebook to answer");
    const auto answer_limit = limit.earliest(Deadline::in(context_.options.spawn.http_timeout));
    BERTH_CO_CHECK(co_await wait_until_ready(endpoint.url, plan.service_prefix, answer_limit));
    BERTH_CO_CHECK(co_await mark_ready(server));
    if (context_.edge != nullptr)
        context_.edge->prepare(plan.profile.image);  // of a name that led elsewhere before
    co_return Result<void>{};
}

awaitable<Result<void>> StartServer::mark_bound(
    std::shared_ptr<Server> server, spawn::StartPlan plan, spawn::Endpoint endpoint) {
    auto row = server->row;
    row.spawn_state = endpoint.state;
    row.target_url = endpoint.url;
    std::optional<store::LeaseRow> lease;
    if (plan.lease) {
        if (auto bound = context_.leases.bind(*plan.lease, plan.object_name())) lease = *bound;
    }
    store::Change change = [row, lease](store::Transaction& t) {
        store::update(t, row);
        if (lease) store::update(t, *lease);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    if (lease) context_.leases.apply(*lease);
    server->row = std::move(row);
    co_return Result<void>{};
}

awaitable<Result<void>> StartServer::mark_ready(std::shared_ptr<Server> server) {
    const auto now = now_utc();
    auto row = server->row;
    row.lifecycle = Lifecycle::ready;
    row.last_activity = std::max(row.last_activity.value_or(now), now);
    std::optional<store::LeaseRow> lease;
    std::vector<store::UsageIntervalRow> usage;
    if (server->lease) {
        BERTH_CO_TRY(auto active, context_.leases.activate(*server->lease));
        usage = context_.leases.usage_of(active, context_.ids, now);
        lease = std::move(active);
    }
    store::Change change = [row, lease, usage](store::Transaction& t) {
        store::update(t, row);
        if (lease) store::update(t, *lease);
        for (const auto& interval : usage)
            store::insert(t, interval);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    if (lease) context_.leases.apply(*lease);
    co_await lead_to(context_, server, row.target_url);
    server->row = std::move(row);
    server->attempt = nullptr;
    server->tell(100, "Server ready");
    server->changed.notify_all();
    co_return Result<void>{};
}

awaitable<Result<bool>> StartServer::wait(ServerKey key, Deadline deadline) {
    auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    while (!server->ready() && !server->failure && server->to_start()) {
        const bool changed = co_await server->changed.wait_until(deadline);
        if (!changed) break;
    }
    if (server->failure) co_return *server->failure;
    if (!server->active()) co_return Error{HubErrc::start_cancelled, "The start was cancelled."};
    co_return server->ready();
}

}  // namespace berth::hub
