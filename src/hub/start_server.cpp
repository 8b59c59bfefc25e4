#include "hub/start_server.hpp"

#include "base/assert.hpp"
#include "hub/audit.hpp"
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
    std::optional<store::LeaseRow> kept_lease;  // of the start that is taken up again
    std::optional<identity::ServerCredentials> credentials;
    std::string project;
    GpuQueue::Place gpus;
    std::optional<store::QueueEntryRow> queued;  // it waits for devices
    StartLine::Place place;
};

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
    if (server && server->to_start() && !server->reaping) co_return Result<void>{};
    BERTH_CO_CHECK(admit(key, server.get()));
    BERTH_CO_TRY(auto intent, prepare(key, server.get(), request));
    co_return co_await commit(std::move(permit), std::move(key), std::move(intent));
}

awaitable<> StartServer::again(TakingUp taken) {
    const auto server = taken.server();
    const auto key = server->key;
    const auto claim = co_await context_.servers.claim(key.user);
    const auto plan = stored_plan(*server);
    const auto ended = co_await context_.spawner.poll(plan, server->row.spawn_state, Deadline::in(10s));
    if (!server->to_start() || server->reaping || server->attempt) co_return;
    if (ended && ended->exit_code) {  // it ran, and is no more
        reaper_.finish_gone(server);
        co_return;
    }
    log::info("server.start_taken_up", {{"server", key.full_name()}});
    auto intent = prepare(key, server.get(), {});
    Result<void> begun;
    if (intent) {
        auto permit = access::AccessCheck::system("system:reconcile", "servers", access::Target::of(key));
        begun = co_await commit(std::move(permit), key, std::move(*intent));
    } else {
        begun = intent.error();
    }
    if (!begun) reaper_.finish(server, begun.error(), "start_failed");
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
        return Error{
            HubErrc::stop_pending,
            server->stop_delayed.empty() ? "Your server is still stopping. Try again in a few seconds."
                                         : "Your server is still stopping. " + server->stop_delayed};
    if (server == nullptr) BERTH_CHECK(ServerRecords(context_).may_create(key));
    const auto& limits = context_.options.spawn;
    if (limits.active_server_limit != 0 &&
        context_.servers.active_count() + committing_ >= limits.active_server_limit)
        return Error{
            HubErrc::active_server_limit,
            "All " + std::to_string(limits.active_server_limit) +
                " places are taken. Try again when somebody stops."};
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
    row.generation += 1;
    row.spawner = context_.spawner.name();
    row.spawn_state = nullptr;
    row.target_url.clear();
    row.failure.clear();
    row.stopped_because.clear();
    row.keep_count = 0;
    row.kept_until.reset();
    row.started = now_utc();
    return row;
}

Result<StartServer::Intent> StartServer::prepare(
    const ServerKey& key, const Server* existing, const StartRequest& request) {
    Intent intent;
    intent.fresh = existing == nullptr;
    BERTH_TRY(intent.row, next_row(key, existing, request));
    const auto* user = context_.directory.find(key.user);
    const auto person = person_of(context_.directory, *user);
    BERTH_TRY(auto resolved, resolve_start(context_.options, profiles(), person, intent.row.user_options));
    const auto now = now_utc();
    BERTH_CHECK(assign_devices(intent, existing, resolved));
    const std::string prefix = spawn::service_prefix(context_.options.base_path(), key);
    context_.directory.put_server(intent.row.id, user->id(), key.server);
    BERTH_TRY(
        auto credentials,
        identity::make_server_credentials(context_.directory, intent.row.id, key, prefix, now));
    intent.row.profile = resolved.profile.name;
    intent.project = resolved.project;
    auto& plan = intent.plan;
    plan.instance = context_.instance;
    plan.key = key;
    plan.server = intent.row.id;
    plan.generation = intent.row.generation;
    plan.service_prefix = prefix;
    plan.environment = environment_for(key, resolved.profile, credentials);
    const auto& queue = context_.options.gpu.queue;
    const bool reclaimable = resolved.gpus > 0 && (context_.options.gpu.lease.length.count() > 0 ||
                                                   (queue.enabled && queue.reclaim_idle.count() > 0));
    plan.lab_notice =
        context_.options.cull.notice_in_lab &&
        (reclaimable || policy_for(context_.options.cull, intent.row.profile, person.groups).limits());
    plan.profile = std::move(resolved.profile);
    if (intent.lease || intent.kept_lease) {
        const auto& lease = intent.lease ? intent.lease->row : *intent.kept_lease;
        plan.lease = lease.id;
        plan.devices = lease.devices;
        add_device_paths(plan, context_.inventory);
    }
    intent.row.spawn_plan = plan.to_stored();
    intent.credentials = std::move(credentials);
    if (!intent.queued) intent.place = line_.enter(intent.row.id, key.user);
    intent.row.lifecycle = intent.place.has_turn() ? Lifecycle::starting : Lifecycle::waiting;
    return intent;
}

// A start that is taken up again keeps the lease it has; any other one is granted devices, waits for them or
// is refused.
Result<void> StartServer::assign_devices(
    Intent& intent, const Server* existing, const ResolvedStart& resolved) {
    const auto* kept =
        existing != nullptr && existing->lease ? context_.leases.find(*existing->lease) : nullptr;
    if (kept != nullptr) {
        if (kept->devices.size() != resolved.gpus)
            return Error{
                HubErrc::options_invalid,
                "The profile has changed since the server was asked for. Please start it again."};
        intent.kept_lease = *kept;
        intent.kept_lease->generation = intent.row.generation;
        intent.kept_lease->state = store::LeaseState::reserved;
        return {};
    }
    if (resolved.gpus == 0) return {};
    auto ask = ask_for(intent.row, resolved);
    if (existing != nullptr) ask.earlier = existing->queued;
    auto place = gpus_.ask(ask);
    if (!place) return refusal(intent.row, resolved, place.error());
    intent.gpus = std::move(*place);
    if (intent.gpus.granted() != nullptr) {
        BERTH_TRY(intent.lease, book(intent.row, intent.gpus));
        return {};
    }
    const Error taken{HubErrc::gpu_rule, "The free GPUs are for those who wait for them already."};
    if (!ask.wait) return refusal(intent.row, resolved, taken);
    intent.queued = intent.gpus.row();
    return {};
}

GpuQueue::Ask StartServer::ask_for(const store::ServerRow& row, const ResolvedStart& resolved) const {
    GpuQueue::Ask ask;
    ask.user = row.user;
    ask.server = row.id;
    ask.profile = resolved.profile.name;
    ask.project = resolved.project;
    ask.priority = resolved.profile.priority;
    ask.wish.count = resolved.gpus;
    ask.wish.sharing = resolved.sharing;
    ask.wish.pool = resolved.profile.gpu_pool;
    ask.wish.model = resolved.profile.gpu_model;
    ask.wish.min_memory = resolved.profile.gpu_memory.value_or(Bytes{});
    ask.preemptible = resolved.profile.preemptible;
    ask.wait = resolved.wait;
    return ask;
}

Result<GpuQueue::Ask> StartServer::gpu_request(const ServerKey& key, const json::value& user_options) const {
    const auto* user = context_.directory.find(key.user);
    if (user == nullptr) return Error{HubErrc::no_such_user, "There is no user of that name."};
    const auto person = person_of(context_.directory, *user);
    BERTH_TRY(const auto resolved, resolve_start(context_.options, profiles(), person, user_options));
    store::ServerRow row;
    row.user = user->id();
    if (const auto server = context_.servers.find(key)) row.id = server->row.id;
    return ask_for(row, resolved);
}

// Books what the queue granted; the claim and the place are kept together or not at all.
Result<gpu::Leases::Granted> StartServer::book(const store::ServerRow& row, GpuQueue::Place& gpus) {
    const auto* grant = gpus.granted();
    const gpu::DeviceRequest devices{
        static_cast<std::uint32_t>(grant->devices.size()), grant->sharing, grant->devices};
    const auto id = context_.ids.next<LeaseId>();
    gpus.booking(id);
    const auto now = now_utc();
    const auto length = context_.options.gpu.lease.length;
    auto asked = gpus.asked();
    gpu::LeaseTerms terms{.profile = std::move(asked.profile), .project = std::move(asked.project)};
    if (length.count() > 0) terms.expires_at = now + length;
    return context_.leases.reserve(id, row.user, row.id, row.generation, devices, now, std::move(terms));
}

// Who holds the devices that are in the way, where that is the reason.
Error StartServer::refusal(const store::ServerRow& row, const ResolvedStart& resolved, Error otherwise) {
    const gpu::DeviceRequest devices{
        resolved.gpus, resolved.sharing, gpus_.matching(ask_for(row, resolved).wish)};
    if (devices.among.empty()) return otherwise;
    const auto id = context_.ids.next<LeaseId>();
    const auto tried = context_.leases.reserve(id, row.user, row.id, row.generation, devices, now_utc());
    return tried ? otherwise : tried.error();
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
    auto audit = audit_of(permit, "server.start", key.full_name());
    audit.detail = "profile " + intent.row.profile + ", " +
                   (intent.queued ? std::string("waits for GPUs")
                                  : std::to_string(intent.plan.devices.size()) + " GPUs");
    std::optional<store::LeaseRow> lease;
    if (intent.lease) lease = intent.lease->row;
    if (!intent.project.empty()) audit.detail.append(", project ").append(intent.project);
    store::Change change = [row = intent.row,
                            fresh = intent.fresh,
                            lease,
                            kept = intent.kept_lease,
                            queued = intent.queued,
                            audit,
                            write = intent.credentials->mutation.write](store::Transaction& t) {
        if (fresh)
            store::insert(t, row);
        else
            store::update(t, row);
        store::remove_queue_entries(t, row.id);
        if (queued) store::insert(t, *queued);
        if (lease) store::insert(t, *lease);
        if (kept) store::update(t, *kept);
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
    if (intent.lease) std::move(intent.gpus).confirm(std::move(intent.lease->claim).keep());
    if (intent.kept_lease) context_.leases.apply(*intent.kept_lease);
    auto server = context_.servers.find(key);
    if (!server) {
        context_.servers.add(key, intent.row);
        server = context_.servers.find(key);
    }
    server->row = std::move(intent.row);
    server->lease = intent.plan.lease;
    server->devices = intent.plan.devices;
    server->queued = intent.queued;
    server->steps.clear();
    server->failure.reset();
    server->gone.reset();
    server->cut_off.reset();
    server->attempt = std::make_shared<StopSource>(context_.scope.executor());
    server->tell(0, "Server requested");
    log::info("server.start_requested", {{"server", key.full_name()}, {"by", permit.principal_name()}});
    context_.scope.spawn(
        "start " + key.full_name(),
        OnStop::cancel,
        attempt(
            std::move(server),
            std::move(intent.plan),
            std::nullopt,
            std::move(intent.place),
            std::move(intent.gpus)));
    co_return Result<void>{};
}

}  // namespace berth::hub
