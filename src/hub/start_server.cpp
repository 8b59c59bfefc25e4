#include "hub/start_server.hpp"

#include "base/assert.hpp"
#include "hub/readiness.hpp"
#include "hub/server_records.hpp"
#include "identity/names.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

// Everything a start decides before it touches anything: what is committed, and what waits for the commit.
struct StartServer::Intent {
    store::ServerRow row;
    bool fresh = false;  // the row is new
    spawn::StartPlan plan;
    std::optional<gpu::Leases::Granted> lease;
    std::optional<identity::ServerCredentials> credentials;
};

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

// Why an attempt that was asked to stop ended.
Error stop_reason(const Server& server) {
    if (server.gone) return ended_while_starting(*server.gone);
    return Error{HubErrc::start_cancelled, "The start was cancelled."};
}

}  // namespace

std::vector<config::Profile> StartServer::profiles() const {
    const auto& devices = context_.inventory.devices();
    const auto ours =
        std::count_if(devices.begin(), devices.end(), [](const auto& device) { return !device.facade_only; });
    return profiles_in_force(context_.options, static_cast<std::size_t>(ours));
}

awaitable<Result<void>> StartServer::begin(access::Permit permit, ServerKey key, StartRequest request) {
    if (undecided_) (void)co_await decided_.wait_until(Deadline::in(10s));
    const auto claim = co_await context_.servers.claim(key.user);
    auto server = context_.servers.find(key);
    if (server && server->ready()) BERTH_CO_CHECK(co_await settle_unnoticed_end(server));
    if (server && server->row.lifecycle == Lifecycle::starting && !server->reaping) co_return Result<void>{};
    BERTH_CO_CHECK(admit(key, server.get()));
    BERTH_CO_TRY(auto intent, prepare(key, server.get(), request));
    co_return co_await commit(std::move(permit), std::move(key), std::move(intent));
}

// A server that is thought to run is asked for at the backend; gone unnoticed, it is cleared away first.
awaitable<Result<void>> StartServer::settle_unnoticed_end(std::shared_ptr<Server> server) {
    const Error running{HubErrc::already_running, server->key.full_name() + " is already running"};
    const auto begin = std::chrono::steady_clock::now();
    auto status =
        co_await context_.spawner.poll(stored_plan(*server), server->row.spawn_state, Deadline::in(5s));
    const double took = obs::seconds_since(begin);
    const bool runs = status && status->liveness == spawn::Liveness::running;
    obs::jupyterhub::server_poll_duration().with({{"status", runs ? "running" : "stopped"}}).observe(took);
    if (!server->ready()) co_return Result<void>{};  // it changed while we asked
    if (!status || runs) co_return running;
    reaper_.finish(server, std::nullopt, "found_gone");
    co_await reaper_.wait_until_gone(server, Deadline::in(10s));
    co_return Result<void>{};
}

Result<void> StartServer::admit(const ServerKey& key, const Server* server) const {
    if (!closed_because_.empty()) return Error{HubErrc::closed, closed_because_};
    if (server != nullptr && server->active())
        return Error{HubErrc::stop_pending, "Your server is still stopping. Try again in a few seconds."};
    if (server == nullptr) BERTH_CHECK(ServerRecords(context_).may_create(key));
    const auto& limits = context_.options.spawn;
    if (limits.active_server_limit != 0 &&
        context_.servers.active_count() + committing_ >= limits.active_server_limit)
        return Error{
            HubErrc::active_server_limit,
            "All " + std::to_string(limits.active_server_limit) +
                " places are taken. Try again when somebody stops."};
    if (limits.concurrent_starts != 0 &&
        context_.servers.starting_count() + committing_ >= limits.concurrent_starts)
        return Error{
            HubErrc::too_many_starts,
            std::to_string(limits.concurrent_starts) +
                " servers are starting right now. Try again in a minute."};
    return {};
}

Result<store::ServerRow> StartServer::next_row(
    const ServerKey& key, const Server* existing, const StartRequest& request) {
    const auto* user = context_.directory.find(key.user);
    if (user == nullptr) return Error{HubErrc::no_such_user, "There is no user of that name."};
    store::ServerRow row;
    if (existing != nullptr) {
        row = existing->row;
    } else {
        row.id = context_.ids.next<ServerId>();
        row.user = user->id();
        row.name = key.server;
        row.display_name = key.server.value;
    }
    if (request.display_name && !key.server.empty()) {
        BERTH_TRY(row.display_name, identity::display_name(*request.display_name));
    }
    if (request.user_options) row.user_options = *request.user_options;
    row.lifecycle = Lifecycle::starting;
    row.generation += 1;
    row.spawner = context_.spawner.name();
    row.spawn_state = nullptr;
    row.target_url.clear();
    row.failure.clear();
    row.started = now_utc();
    return row;
}

Result<StartServer::Intent> StartServer::prepare(
    const ServerKey& key, const Server* existing, const StartRequest& request) {
    Intent intent;
    intent.fresh = existing == nullptr;
    BERTH_TRY(intent.row, next_row(key, existing, request));
    const auto* user = context_.directory.find(key.user);
    const auto groups = context_.directory.group_names_of(*user);
    BERTH_TRY(auto resolved, resolve_start(context_.options, profiles(), groups, intent.row.user_options));
    const auto now = now_utc();
    if (resolved.gpus > 0) {
        const gpu::DeviceRequest devices{resolved.gpus, resolved.sharing};
        BERTH_TRY(
            auto granted,
            context_.leases.reserve(
                context_.ids.next<LeaseId>(),
                user->id(),
                intent.row.id,
                intent.row.generation,
                devices,
                now));
        intent.lease = std::move(granted);
    }
    const std::string prefix = spawn::service_prefix(context_.options.base_path(), key);
    context_.directory.put_server(intent.row.id, user->id(), key.server);
    BERTH_TRY(
        auto credentials,
        identity::make_server_credentials(context_.directory, intent.row.id, key, prefix, now));
    intent.row.profile = resolved.profile.name;
    auto& plan = intent.plan;
    plan.instance = context_.instance;
    plan.key = key;
    plan.server = intent.row.id;
    plan.generation = intent.row.generation;
    plan.service_prefix = prefix;
    plan.environment = environment_for(key, resolved.profile, credentials);
    plan.profile = std::move(resolved.profile);
    if (intent.lease) {
        plan.lease = intent.lease->row.id;
        plan.devices = intent.lease->row.devices;
        add_device_paths(plan, context_.inventory);
    }
    intent.row.spawn_plan = plan.to_stored();
    intent.credentials = std::move(credentials);
    return intent;
}

spawn::Environment StartServer::environment_for(
    const ServerKey& key,
    const config::Profile& profile,
    const identity::ServerCredentials& credentials) const {
    const auto& options = context_.options;
    spawn::EnvironmentInputs inputs;
    inputs.key = key;
    inputs.api_token = credentials.api_token;
    inputs.base_path = options.base_path();
    inputs.api_url = context_.api_url;
    inputs.public_origin = options.public_url.empty() ? "" : origin_of(options.public_url);
    inputs.oauth_client_allowed_scopes = credentials.client_allowed_scopes;
    inputs.default_url = options.spawn.default_url;
    inputs.image = context_.spawner.name() == "docker" ? profile.image : "";
    inputs.memory = profile.memory;
    inputs.cpus = profile.cpus;
    inputs.common = options.spawn.environment;
    inputs.profile = profile.environment;
    return spawn::make_environment(inputs);
}

awaitable<Result<void>> StartServer::commit(access::Permit permit, ServerKey key, Intent intent) {
    store::AuditRow audit;
    audit.at = now_utc();
    audit.principal = permit.principal_name();
    audit.action = "server.start";
    audit.target = key.full_name();
    audit.permit = permit.scope();
    audit.result = "ok";
    audit.detail =
        "profile " + intent.row.profile + ", " + std::to_string(intent.plan.devices.size()) + " GPUs";
    std::optional<store::LeaseRow> lease;
    if (intent.lease) lease = intent.lease->row;
    store::Change change =
        [row = intent.row, fresh = intent.fresh, lease, audit, write = intent.credentials->mutation.write](
            store::Transaction& t) {
            if (fresh)
                store::insert(t, row);
            else
                store::update(t, row);
            if (lease) store::insert(t, *lease);
            write(t);
            store::insert(t, audit);
        };
    ++committing_;
    const auto committed = co_await context_.store.commit(std::move(change));
    --committing_;
    if (!committed) {
        if (intent.fresh) context_.directory.drop_server(intent.row.id);
        co_return committed.error();
    }
    intent.credentials->mutation.apply();
    if (intent.lease) std::move(intent.lease->claim).keep();
    auto server = context_.servers.find(key);
    if (!server) {
        context_.servers.add(key, intent.row);
        server = context_.servers.find(key);
    }
    server->row = std::move(intent.row);
    server->lease = intent.plan.lease;
    server->devices = intent.plan.devices;
    server->steps.clear();
    server->failure.reset();
    server->gone.reset();
    server->attempt = std::make_shared<StopSource>(context_.scope.executor());
    server->tell(0, "Server requested");
    log::info("server.start_requested", {{"server", key.full_name()}, {"by", permit.principal_name()}});
    context_.scope.spawn(
        "start " + key.full_name(),
        OnStop::cancel,
        attempt(std::move(server), std::move(intent.plan), std::nullopt));
    co_return Result<void>{};
}

void StartServer::resume(
    const std::shared_ptr<Server>& server, spawn::StartPlan plan, spawn::Endpoint endpoint) {
    server->attempt = std::make_shared<StopSource>(context_.scope.executor());
    server->tell(60, "The hub was restarted; going on with the start");
    context_.scope.spawn(
        "resume " + server->key.full_name(),
        OnStop::cancel,
        attempt(server, std::move(plan), std::move(endpoint)));
}

awaitable<> StartServer::attempt(
    std::shared_ptr<Server> server, spawn::StartPlan plan, std::optional<spawn::Endpoint> found) {
    StartAttempt guard(reaper_, server);
    const auto source = server->attempt;
    const auto begin = std::chrono::steady_clock::now();
    const Error stopped{HubErrc::start_cancelled, "The start was cancelled."};
    const Error late{
        spawn::SpawnErrc::start_timeout,
        "The server did not start within " + std::to_string(context_.options.spawn.start_timeout.count()) +
            " s. Try again; if it happens again, the administrator can raise spawn.start_timeout."};
    auto work = with_deadline(
        Deadline::in(context_.options.spawn.start_timeout),
        late,
        bring_up(server, std::move(plan), std::move(found)));
    auto outcome = co_await stoppable(*source, stopped, std::move(work));
    const double took = obs::seconds_since(begin);
    const std::string status = outcome ? "success" : "failure";
    const std::string reason = outcome ? "" : server->gone ? "exited" : "error";
    obs::jupyterhub::server_spawn_duration().with({{"status", status}, {"reason", reason}}).observe(took);
    if (!outcome) {
        guard.fail(source->requested() ? stop_reason(*server) : outcome.error());
        co_return;
    }
    guard.commit();
    log::info("server.started", {{"server", server->key.full_name()}, {"took_seconds", took}});
}

awaitable<Result<void>> StartServer::bring_up(
    std::shared_ptr<Server> server, spawn::StartPlan plan, std::optional<spawn::Endpoint> found) {
    const auto limit = Deadline::in(context_.options.spawn.start_timeout);
    spawn::Progress progress = [server](int percent, std::string message) {
        server->tell(percent, std::move(message));
    };
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
    co_return co_await mark_ready(server);
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
    Route route = route_of(*server, row.target_url, context_.options.base_path());
    auto routed = co_await context_.routes.put(std::move(route), Deadline::in(5s));
    if (!routed)
        log::warn("route.delayed", {{"server", server->key.full_name()}, {"detail", routed.error().detail}});
    server->row = std::move(row);
    server->attempt = nullptr;
    server->tell(100, "Server ready");
    server->changed.notify_all();
    co_return Result<void>{};
}

awaitable<Result<bool>> StartServer::wait(ServerKey key, Deadline deadline) {
    auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    while (!server->ready() && !server->failure && server->row.lifecycle == Lifecycle::starting) {
        const bool changed = co_await server->changed.wait_until(deadline);
        if (!changed) break;
    }
    if (server->failure) co_return *server->failure;
    if (!server->active()) co_return Error{HubErrc::start_cancelled, "The start was cancelled."};
    co_return server->ready();
}

}  // namespace berth::hub
