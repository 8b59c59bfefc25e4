#include "app/hub_process.hpp"

#include "app/admin_socket.hpp"
#include "app/builtin.hpp"
#include "app/hub_rooms.hpp"
#include "base/program.hpp"
#include "base/random.hpp"
#include "net/inherited.hpp"
#include "net/self_signed.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace berth::app {

using namespace std::chrono_literals;

void report_failure(std::string_view task, const std::exception_ptr& failure) {
    std::string what = "not a std::exception";
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        what = error.what();
    }
    log::error("task.failed", {{"task", task}, {"what", what}});
}

namespace {

Result<std::string> setting_or(store::Store& store, const std::string& key, const std::string& otherwise) {
    BERTH_TRY(const auto kept, store.setting(key));
    if (kept) return *kept;
    BERTH_CHECK(store.put_setting(key, otherwise));
    return otherwise;
}

}  // namespace

HubProcess::HubProcess(asio::io_context& io, config::Options options)
    : rooms_(std::make_unique<Rooms>(io, std::move(options))) {}

HubProcess::~HubProcess() = default;

awaitable<Result<void>> HubProcess::start() {
    auto& rooms = *rooms_;
    const auto begin = std::chrono::steady_clock::now();
    BERTH_CO_CHECK(co_await rooms.open_store());
    BERTH_CO_TRY(const auto snapshot, rooms.store->load());
    rooms.ids.emplace(snapshot.next_id);
    BERTH_CO_CHECK(co_await rooms.open_identity(snapshot));
    BERTH_CO_CHECK(co_await rooms.open_gpus(snapshot));
    BERTH_CO_CHECK(co_await rooms.open_servers(snapshot));
    BERTH_CO_TRY(rooms.administrators, local_administrators(rooms.options.admin));
    rooms.build_use_cases();
    BERTH_CO_CHECK(co_await rooms.restore_gpu_queue(snapshot));
    BERTH_CO_CHECK(co_await rooms.listen());
    BERTH_CO_CHECK(co_await rooms.listen_for_administrators());
    BERTH_CO_CHECK(co_await rooms.open_proxy());
    BERTH_CO_CHECK(co_await rooms.make_first_admin_link());
    rooms.start_background();
    const double took = obs::seconds_since(begin);
    obs::jupyterhub::hub_startup_duration().plain().observe(took);
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
    BERTH_CO_CHECK(co_await gpu::write_changes(*store, *inventory));
    leases.emplace(options.gpu, [this](UserId id) {
        const auto* user = directory->find(id);
        return user == nullptr ? std::string("a removed user") : user->name().value;
    });
    leases->sync(*inventory);
    for (const auto& problem : leases->restore(snapshot))
        log::warn("lease.over_limit", {{"what", problem}});
    facade.emplace(*inventory, *leases, *ids, options.gpu.facade_lease);
    BERTH_CO_CHECK(facade->restore(*store));
    co_return co_await gpu::write_changes(*store, *inventory);
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
        if (!row.failure.empty()) server.failure = Error{spawn::SpawnErrc::backend_failed, row.failure};
    }
    BERTH_CO_TRY(const auto chosen, store->setting("chosen_spawner"));
    SpawnerHistory history{holds_servers, chosen.value_or("")};
    BERTH_CO_TRY(options.spawn.spawner, co_await choose_spawner(options, std::move(history)));
    if (chosen != options.spawn.spawner)
        BERTH_CO_CHECK(store->put_setting("chosen_spawner", options.spawn.spawner));
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
    edge.emplace(*context, pool, Secret(proxy_token));
    context->edge = &*edge;
    notices.emplace(*context);
    context->notices = &*notices;
    reaper.emplace(*context);
    gpus.emplace(*context);
    board.emplace(*context, *gpus);
    reservations.emplace(*context, *gpus);
    drains.emplace(*context);
    context->drains = &*drains;
    start.emplace(*context, *reaper, *gpus);
    stop.emplace(*context, *reaper);
    records.emplace(*context);
    users.emplace(*context, *stop);
    activity.emplace(*context);
    culler.emplace(*context, *activity, *stop, *gpus);
    reconcile.emplace(*context, *start, *reaper);
    auto shut_down = [this](api::ShutdownWish wanted) {
        wish = wanted;
        shutdown.request();
    };
    dependencies.emplace(api::Dependencies{
        options,           *store,         *ids,      pool,     *directory, *sign_in, *oauth,        *gate,
        *servers,          *edge,          *start,    *stop,    *records,   *users,   *activity,     *culler,
        *routes,           *inventory,     *leases,   *facade,  *spawner,   *board,   *reservations, *drains,
        context->instance, administrators, shut_down, &*notices});
    api.emplace(*dependencies);
}

// Who waits for GPUs, and who had how much of late: older than four half-lives it no longer matters.
awaitable<Result<void>> HubProcess::Rooms::restore_gpu_queue(const store::Snapshot& snapshot) {
    std::vector<store::UsageIntervalRow> usage;
    const auto since = now_utc() - hub::GpuQueue::remembers(options.gpu);
    store::Change query = [&usage, since](store::Transaction& t) {
        usage = store::usage_intervals(t, since);
    };
    BERTH_CO_CHECK(co_await store->read(std::move(query)));
    gpus->restore(snapshot.queue, std::move(usage));
    BERTH_CO_CHECK(drains->restore());
    BERTH_CO_CHECK(co_await reservations->restore());
    co_return co_await board->history.restore();
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
    BERTH_CO_TRY(const auto limits, server_limits());
    http::Handler handler = [whole = api->handler(),
                             for_servers = api->handler_for_servers()](http::Request request) {
        return request.from_proxy ? whole(std::move(request)) : for_servers(std::move(request));
    };
    behind_proxy.emplace(connections, std::move(*listener), "hub", limits, true, std::move(handler));
    behind_proxy->start();
    co_return Result<void>{};
}

Result<http::ServerLimits> HubProcess::Rooms::server_limits() const {
    http::ServerLimits limits;
    limits.own_headers.add("X-JupyterHub-Version", options.hub_version);
    for (const auto& text : options.trusted_proxies) {
        auto range = net::AddressRange::parse(text);
        if (!range) return Error{range.error().code, "trusted_proxies: " + range.error().message};
        limits.trusted_proxies.push_back(*range);
    }
    return limits;
}

namespace {

// Of every name that somebody on this machine or its network may write into a browser.
Result<net::TlsPair> certificate_for_first_try(const config::Options& options, const std::string& bound) {
    std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
    std::array<char, HOST_NAME_MAX + 1> machine{};
    if (::gethostname(machine.data(), HOST_NAME_MAX) == 0) names.emplace_back(machine.data());
    if (!bound.empty() && bound != "*" && bound != "0.0.0.0" && bound != "::") names.push_back(bound);
    if (const auto shown = net::parse_http_url(options.public_url)) names.push_back(shown->endpoint.host);
    BERTH_TRY(auto made, net::self_signed_in(options.state_dir + "/tls", names));
    log::info("tls.self_signed", {{"certificate", made.pair.certificate}, {"sha256", made.fingerprint}});
    std::fprintf(
        stderr,
        "berth: The certificate is self-signed, for a first try. A browser warns of it; the SHA-256 "
        "fingerprint that "
        "it shows must be %s\n",
        made.fingerprint.c_str());
    return made.pair;
}

// The proxy may be started again from anywhere.
std::string absolute(const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).string();
}

}  // namespace

awaitable<Result<void>> HubProcess::Rooms::open_proxy() {
    BERTH_CO_TRY(const auto public_url, net::parse_http_url(options.bind_url));
    const auto local = behind_proxy->local();
    const std::string target = "http://" + local.to_string();
    ProxyProcessOptions wanted;
    wanted.program = own_program();
    wanted.state_dir = options.state_dir;
    wanted.public_at = public_url.endpoint;
    wanted.tls.certificate = absolute(options.tls.certificate);
    wanted.tls.key = absolute(options.tls.key);
    wanted.tls.passphrase = options.tls.key_passphrase.reveal();
    wanted.tls_folder = absolute(options.tls.directory);
    wanted.acme_webroot = absolute(options.tls.acme_webroot);
    if (options.tls.self_signed) {
        BERTH_CO_TRY(wanted.tls, certificate_for_first_try(options, public_url.endpoint.host));
    }
    wanted.redirect_port = static_cast<std::uint16_t>(options.tls.redirect_port);
    wanted.default_target = target;
    wanted.error_target = target + options.base_path() + "hub/error";
    wanted.token = Secret(proxy_token);
    wanted.log_level = options.log.level;
    wanted.edge_cache_bytes =
        options.edge_cache.enabled ? options.edge_cache.max_bytes.value_or(Bytes{}).count : 0;
    proxy.emplace(std::move(wanted));
    BERTH_CO_CHECK(co_await proxy->ensure(executor, Deadline::in(10s)));
    for (const auto& server : servers->all()) {
        if (server->ready() && !server->unreachable()) {
            auto route = hub::route_of(*server, server->row.target_url, options.base_path());
            edge->mark(route, *server);
            routes->want(std::move(route));
        }
    }
    for (const auto* service : directory->services()) {
        if (!service->url.empty())
            routes->want(
                hub::service_route(directory->service_prefix(*service), service->url, service->name));
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

awaitable<> HubProcess::wait_for_shutdown_request() {
    auto asked = co_await rooms_->shutdown.timer().async_wait(as_tuple);
    (void)asked;
}

awaitable<> HubProcess::stop(Then then) {
    auto& rooms = *rooms_;
    if (rooms.start) rooms.start->close("The hub is stopping. Running servers go on.");
    if (rooms.board) rooms.board->feed.close();
    if (rooms.wish.servers && rooms.stop) {
        for (const auto& server : rooms.servers->all()) {
            if (!server->active()) continue;
            auto permit =
                access::AccessCheck::system("system:shutdown", "servers", access::Target::of(server->key));
            auto asked = co_await rooms.stop->begin(std::move(permit), server->key);
            if (asked) (void)co_await rooms.stop->wait(server->key, Deadline::in(30s));
        }
    }
    if (then == Then::hand_over) net::keep_listeners_for_successor();
    co_await rooms.connections.stop(then == Then::hand_over ? 5s : 500ms);
    if (rooms.activity) co_await rooms.activity->flush();
    if (rooms.board) (void)co_await rooms.board->history.flush();
    if (rooms.notices) rooms.notices->stop();
    co_await rooms.work.stop(1s);
    const bool nobody_behind = rooms.servers && rooms.servers->active_count() == 0;
    if (rooms.proxy && ((nobody_behind && then == Then::end) || (rooms.wish.servers && rooms.wish.proxy)))
        rooms.proxy->stop();
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
