#include "app/hub_process.hpp"

#include "api/hub_api.hpp"
#include "app/builtin.hpp"
#include "app/proxy_process.hpp"
#include "base/random.hpp"
#include "gpu/agent_client.hpp"
#include "hub/reconcile.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <filesystem>
#include <optional>

namespace berth::app {

using namespace std::chrono_literals;

namespace {

void report_failure(std::string_view task, const std::exception_ptr& failure) {
    std::string what = "not a std::exception";
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        what = error.what();
    }
    log::error("task.failed", {{"task", task}, {"what", what}});
}

Result<std::string> setting_or(store::Store& store, const std::string& key, const std::string& otherwise) {
    BERTH_TRY(const auto kept, store.setting(key));
    if (kept) return *kept;
    BERTH_CHECK(store.put_setting(key, otherwise));
    return otherwise;
}

store::Change upsert_all(std::vector<store::DeviceRow> rows) {
    return [rows = std::move(rows)](store::Transaction& t) {
        for (const auto& row : rows)
            store::upsert(t, row);
    };
}

}  // namespace

// In the order of construction; destroyed backwards.
struct HubProcess::Rooms {
    Rooms(asio::io_context& io, config::Options configured)
        : executor(io.get_executor()),
          options(std::move(configured)),
          work(executor, report_failure),
          connections(executor, report_failure),
          shutdown(executor) {}

    asio::any_io_executor executor;
    config::Options options;
    BlockingPool pool{2, 256};
    TaskScope work;
    TaskScope connections;
    StopSource shutdown;
    api::ShutdownWish wish;

    std::unique_ptr<store::Store> store;
    std::optional<store::Ids> ids;
    std::optional<identity::Directory> directory;
    std::optional<identity::SignIn> sign_in;
    std::optional<identity::OAuthProvider> oauth;
    std::optional<gate::Gate> gate;
    std::optional<gpu::Inventory> inventory;
    std::optional<gpu::Leases> leases;
    std::optional<gpu::AllocatorFacade> facade;
    std::optional<gpu::AgentClient> agent;
    std::unique_ptr<spawn::Spawner> spawner;
    std::optional<hub::Servers> servers;
    std::optional<hub::Routes> routes;
    std::optional<hub::Context> context;
    std::optional<hub::Reaper> reaper;
    std::optional<hub::StartServer> start;
    std::optional<hub::StopServer> stop;
    std::optional<hub::ServerRecords> records;
    std::optional<hub::UserRecords> users;
    std::optional<hub::Activity> activity;
    std::optional<hub::Reconcile> reconcile;
    std::optional<api::Dependencies> dependencies;
    std::optional<api::HubApi> api;
    std::optional<ProxyProcess> proxy;
    std::optional<http::Server> behind_proxy;
    std::optional<http::Server> for_servers;
    std::string instance;
    std::string first_admin_link;
    std::string proxy_token;

    awaitable<Result<void>> open_store();
    awaitable<Result<void>> open_identity(const store::Snapshot& snapshot);
    awaitable<Result<void>> open_gpus(const store::Snapshot& snapshot);
    awaitable<Result<void>> open_servers(const store::Snapshot& snapshot);
    awaitable<Result<void>> listen();
    awaitable<Result<void>> open_proxy();
    awaitable<Result<void>> make_first_admin_link();
    void build_use_cases();
    void start_background();
    awaitable<> open_backend();
    awaitable<> check_routes();
    awaitable<> housekeeping();
    void on_agent_report(const gpu::AgentReport& report);
    http::ServerLimits server_limits() const {
        http::ServerLimits limits;
        limits.own_headers.add("X-JupyterHub-Version", options.hub_version);
        return limits;
    }
    std::string hub_url(std::string_view path) const {
        return hub::origin_of(options.bind_url) + options.base_path() + std::string(path);
    }
};

HubProcess::HubProcess(asio::io_context& io, config::Options options)
    : rooms_(std::make_unique<Rooms>(io, std::move(options))) {}

HubProcess::~HubProcess() = default;

awaitable<Result<void>> HubProcess::start() {
    auto& rooms = *rooms_;
    BERTH_CO_CHECK(co_await rooms.open_store());
    BERTH_CO_TRY(const auto snapshot, rooms.store->load());
    rooms.ids.emplace(snapshot.next_id);
    BERTH_CO_CHECK(co_await rooms.open_identity(snapshot));
    BERTH_CO_CHECK(co_await rooms.open_gpus(snapshot));
    BERTH_CO_CHECK(co_await rooms.open_servers(snapshot));
    rooms.build_use_cases();
    BERTH_CO_CHECK(co_await rooms.listen());
    BERTH_CO_CHECK(co_await rooms.open_proxy());
    BERTH_CO_CHECK(co_await rooms.make_first_admin_link());
    rooms.start_background();
    co_return Result<void>{};
}

awaitable<Result<void>> HubProcess::Rooms::open_store() {
    options.state_dir = std::filesystem::absolute(options.state_dir).lexically_normal().string();
    BERTH_CO_TRY(store, store::Store::open(options.state_dir));
    BERTH_CO_TRY(instance, setting_or(*store, "instance_id", random_hex(8)));
    BERTH_CO_TRY(proxy_token, setting_or(*store, "proxy_token", random_hex(32)));
    co_return Result<void>{};
}

awaitable<Result<void>> HubProcess::Rooms::open_identity(const store::Snapshot& snapshot) {
    directory.emplace(*store, *ids);
    directory->load(snapshot);
    BERTH_CO_CHECK(co_await directory->apply_config(options, now_utc()));
    sign_in.emplace(
        *directory, make_authenticator(options.authentication, *directory, pool), options.authentication);
    oauth.emplace(*directory, options.authentication);
    BERTH_CO_TRY(const auto cookie_secret, setting_or(*store, "cookie_secret", random_hex(32)));
    gate.emplace(*directory, options, Secret(cookie_secret));
    co_return Result<void>{};
}

awaitable<Result<void>> HubProcess::Rooms::open_gpus(const store::Snapshot& snapshot) {
    inventory.emplace(options.gpu, snapshot.devices);
    auto rows = inventory->take_changed_rows();
    if (!rows.empty()) {
        auto change = upsert_all(std::move(rows));
        BERTH_CO_CHECK(co_await store->commit(std::move(change)));
    }
    leases.emplace(options.gpu, [this](UserId id) {
        const auto* user = directory->find(id);
        return user == nullptr ? std::string("a removed user") : user->name().value;
    });
    leases->sync(*inventory);
    for (const auto& problem : leases->restore(snapshot))
        log::warn("lease.over_limit", {{"what", problem}});
    facade.emplace(*inventory, *leases, *ids, options.gpu.facade_lease);
    co_return Result<void>{};
}

awaitable<Result<void>> HubProcess::Rooms::open_servers(const store::Snapshot& snapshot) {
    std::string holds_servers;
    servers.emplace(executor);
    for (const auto& row : snapshot.servers) {
        const auto* user = directory->find(row.user);
        if (user == nullptr) continue;  // the schema removes servers with their users
        auto& server = servers->add({user->name(), row.name}, row);
        if (const auto* lease = leases->of_server(row.id); lease != nullptr && server.active()) {
            server.lease = lease->id;
            server.devices = lease->devices;
        }
        if (server.active()) holds_servers = row.spawner;
        if (!row.failure.empty()) server.failure = Error{hub::HubErrc::start_cancelled, row.failure};
    }
    options.spawn.spawner = co_await choose_spawner(options, holds_servers);
    spawner = make_spawner(options.spawn.spawner, executor, pool, options);
    co_return Result<void>{};
}

void HubProcess::Rooms::build_use_cases() {
    net::Endpoint proxy_api;
    proxy_api.path = options.state_dir + "/proxy.sock";
    routes.emplace(proxy_api, Secret(proxy_token));
    context.emplace(hub::Context{
        work,
        options,
        *store,
        *ids,
        *directory,
        *inventory,
        *leases,
        *spawner,
        *servers,
        *routes,
        instance,
        ""});
    reaper.emplace(*context);
    start.emplace(*context, *reaper);
    stop.emplace(*context, *reaper);
    records.emplace(*context);
    users.emplace(*context, *stop);
    activity.emplace(*context);
    reconcile.emplace(*context, *start, *reaper);
    auto shut_down = [this](api::ShutdownWish wanted) {
        wish = wanted;
        shutdown.request();
    };
    dependencies.emplace(api::Dependencies{
        options,
        *store,
        *ids,
        pool,
        *directory,
        *sign_in,
        *oauth,
        *gate,
        *servers,
        *start,
        *stop,
        *records,
        *users,
        *activity,
        *routes,
        *inventory,
        *leases,
        *facade,
        options.spawn.spawner,
        shut_down});
    api.emplace(*dependencies);
}

// The port is kept over restarts: servers that run know it.
awaitable<Result<void>> HubProcess::Rooms::listen() {
    BERTH_CO_TRY(auto at, net::parse_endpoint(options.hub_bind));
    const bool any_port = at.port == 0;
    BERTH_CO_TRY(const auto kept, store->setting("hub_port"));
    if (any_port && kept) at.port = static_cast<std::uint16_t>(std::stoi(*kept));
    // Somebody else took the port meanwhile: fine as long as no server needs it.
    if (any_port && at.port != 0 && servers->active_count() == 0 && !net::Listener::open(executor, at))
        at.port = 0;
    auto listener = net::Listener::open(executor, at);
    if (!listener)
        co_return Error{
            net::NetErrc::address_in_use, "hub_bind: " + listener.error().message, listener.error().detail};
    const auto local = listener->local();
    if (any_port) BERTH_CO_CHECK(store->put_setting("hub_port", std::to_string(local.port)));
    const auto limits = server_limits();
    behind_proxy.emplace(connections, std::move(*listener), "hub", limits, true, api->handler());
    behind_proxy->start();
    co_return Result<void>{};
}

awaitable<Result<void>> HubProcess::Rooms::open_proxy() {
    BERTH_CO_TRY(const auto public_url, net::parse_http_url(options.bind_url));
    const auto local = behind_proxy->local();
    const std::string target = "http://" + local.to_string();
    ProxyProcessOptions wanted;
    wanted.program = std::filesystem::read_symlink("/proc/self/exe").string();
    wanted.state_dir = options.state_dir;
    wanted.public_at = public_url.endpoint;
    wanted.default_target = target;
    wanted.error_target = target + options.base_path() + "hub/error";
    wanted.token = Secret(proxy_token);
    wanted.log_level = options.log.level;
    proxy.emplace(std::move(wanted));
    BERTH_CO_CHECK(co_await proxy->ensure(executor, Deadline::in(10s)));
    for (const auto& server : servers->all()) {
        if (!server->ready()) continue;
        auto put = co_await routes->put(
            hub::route_of(*server, server->row.target_url, options.base_path()), Deadline::in(5s));
        if (!put) log::warn("route.delayed", {{"server", server->key.full_name()}});
    }
    hub::Route home;
    home.routespec = "/";
    home.target = target;
    home.data = {{"hub", true}};
    co_return co_await routes->put(std::move(home), Deadline::in(5s));
}

awaitable<Result<void>> HubProcess::Rooms::make_first_admin_link() {
    if (options.authentication.method != "password" || !directory->without_admin_password())
        co_return Result<void>{};
    // An administrator whom the configuration lists sets a password by it; where none is listed, one is made.
    std::optional<UserId> listed;
    for (const auto* user : directory->users_by_id()) {
        if (user->row.admin && !listed) listed = user->id();
    }
    BERTH_CO_TRY(const auto token, co_await directory->create_invite(listed, now_utc(), 24h));
    first_admin_link = hub_url("hub/invite?token=" + token.reveal());
    co_return Result<void>{};
}

void HubProcess::Rooms::start_background() {
    work.spawn("backend", OnStop::cancel, open_backend());
    work.spawn("activity", OnStop::cancel, activity->run());
    work.spawn("housekeeping", OnStop::cancel, housekeeping());
    work.spawn("proxy", OnStop::cancel, proxy->supervise([this] {
        work.spawn("check routes", OnStop::cancel, check_routes());
    }));
    if (options.gpu.agent) {
        gpu::AgentClientOptions agent_options;
        agent_options.library = options.gpu.nvml_library;
        agent_options.interval = options.gpu.poll_interval;
        agent.emplace(
            agent_options,
            [this](const gpu::AgentReport& report) { on_agent_report(report); },
            [this](const std::string& why) {
                log::warn("gpu_agent.silent", {{"why", why}});
                inventory->agent_silent(now_utc());
            });
        work.spawn("gpu agent", OnStop::cancel, agent->run());
    }
}

void HubProcess::Rooms::on_agent_report(const gpu::AgentReport& report) {
    inventory->apply(report, now_utc());
    inventory->expire_suspicions(now_utc());
    leases->sync(*inventory);
    auto rows = inventory->take_changed_rows();
    if (!rows.empty()) store->commit_later(upsert_all(std::move(rows)));
}

// The backend may not be there yet; pages are served meanwhile, starts are refused with its message.
awaitable<> HubProcess::Rooms::open_backend() {
    for (;;) {
        auto usable = co_await spawner->check(Deadline::in(15s));
        if (usable) break;
        start->close(usable.error().message);
        log::warn("backend.unusable", {{"why", usable.error().message}, {"detail", usable.error().detail}});
        co_await sleep_for(2s);
    }
    const auto local = behind_proxy->local();
    const std::string address =
        options.docker.hub_address.empty() ? spawner->hub_listen_address() : options.docker.hub_address;
    net::Endpoint inside;
    inside.host = spawner->hub_listen_address();
    inside.port = local.port;
    const bool covered =
        inside.host == local.host || local.host.empty() || local.host == "0.0.0.0" || local.host == "*";
    if (!covered) {
        auto listener = net::Listener::open(executor, inside);
        if (!listener) {
            start->close("The hub cannot listen where servers reach it: " + listener.error().message);
            log::error(
                "hub.unreachable_for_servers",
                {{"at", inside.to_string()}, {"why", listener.error().message}});
            co_return;
        }
        for_servers.emplace(
            connections, std::move(*listener), "servers", server_limits(), false, api->handler_for_servers());
        for_servers->start();
    }
    context->api_url =
        "http://" + address + ":" + std::to_string(local.port) + options.base_path() + "hub/api";
    log::info("backend.ready", {{"spawner", options.spawn.spawner}, {"api_url", context->api_url}});
    work.spawn("watch", OnStop::cancel, reconcile->watch());
    co_await reconcile->run();
}

awaitable<> HubProcess::Rooms::check_routes() {
    auto checked = co_await routes->check(Deadline::in(10s));
    if (!checked) log::warn("route.delayed", {{"detail", checked.error().detail}});
}

// Façade leases whose time is over every 10 s; expired tokens, codes and sessions every hour.
awaitable<> HubProcess::Rooms::housekeeping() {
    auto next_purge = std::chrono::steady_clock::now();
    for (;;) {
        auto over = facade->expire(now_utc());
        if (!over.empty()) {
            auto ended = co_await facade->commit_ended(*store, std::move(over), std::nullopt);
            if (!ended) log::warn("lease.end_delayed", {{"detail", ended.error().detail}});
        }
        if (std::chrono::steady_clock::now() >= next_purge) {
            auto purged = co_await directory->purge_expired(now_utc());
            if (!purged) log::warn("tokens.purge_delayed", {{"detail", purged.error().detail}});
            next_purge += 1h;
        }
        co_await sleep_for(10s);
    }
}

awaitable<> HubProcess::wait_for_shutdown_request() {
    auto asked = co_await rooms_->shutdown.timer().async_wait(as_tuple);
    (void)asked;
}

awaitable<> HubProcess::stop() {
    auto& rooms = *rooms_;
    if (rooms.start) rooms.start->close("The hub is stopping. Running servers go on.");
    if (rooms.wish.servers && rooms.stop) {
        for (const auto& server : rooms.servers->all()) {
            if (!server->active()) continue;
            auto permit =
                access::AccessCheck::system("system:shutdown", "servers", access::Target::of(server->key));
            auto asked = co_await rooms.stop->begin(std::move(permit), server->key);
            if (asked) (void)co_await rooms.stop->wait(server->key, Deadline::in(30s));
        }
    }
    co_await rooms.connections.stop(500ms);
    if (rooms.activity) co_await rooms.activity->flush();
    co_await rooms.work.stop(1s);
    const bool nobody_behind = rooms.servers && rooms.servers->active_count() == 0;
    if (rooms.proxy && (nobody_behind || (rooms.wish.servers && rooms.wish.proxy))) rooms.proxy->stop();
    if (rooms.store) rooms.store->close();
    log::info("hub.stopped", {});
}

std::string HubProcess::greeting() const {
    const auto& rooms = *rooms_;
    std::string text = "\n  Berth is ready:  " + rooms.hub_url("") + "\n";
    if (!rooms.first_admin_link.empty())
        text += "  First administrator (one-time link, 24 h):\n\n    " + rooms.first_admin_link + "\n";
    text += "\n  Servers run as: " + rooms.options.spawn.spawner + ".  State: " + rooms.options.state_dir +
            "\n  Ctrl-C stops the hub; running notebooks go on.\n\n";
    return text;
}

}  // namespace berth::app
