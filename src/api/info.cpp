// What the hub says about itself (hub-protocol §11.1, §18).
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"

namespace berth::api {

awaitable<Result<http::Response>> get_version(Dependencies& hub, Call&) {
    auto response = http::Response::json(200, json::object{{"version", hub.options.hub_version}});
    response.headers.add("Access-Control-Allow-Origin", "*");
    co_return response;
}

awaitable<Result<http::Response>> get_health(Dependencies&, Call&) {
    co_return http::Response::empty(200);
}

awaitable<Result<http::Response>> get_info(Dependencies& hub, Call&) {
    const std::string method(hub.sign_in.authenticator().name());
    json::object info{
        {"version", hub.options.hub_version},
        {"python", ""},
        {"sys_executable", ""},
        {"spawner", {{"class", "berth." + std::string(hub.spawner.name())}, {"version", BERTH_VERSION}}},
        {"authenticator", {{"class", "berth." + method}, {"version", BERTH_VERSION}}},
        {"berth", {{"version", BERTH_VERSION}}},
    };
    co_return http::Response::json(200, info);
}

awaitable<Result<http::Response>> get_berth_info(Dependencies& hub, Call&) {
    json::object info{
        {"version", BERTH_VERSION},
        {"spawner", std::string(hub.spawner.name())},
        {"authenticator", std::string(hub.sign_in.authenticator().name())},
        {"users", hub.directory.user_count()},
        {"active_servers", hub.servers.active_count()},
        {"devices", hub.inventory.devices().size()},
        {"simulated", hub.inventory.simulated()},
    };
    co_return http::Response::json(200, info);
}

namespace {

void refresh_gauges(const Dependencies& hub, Timestamp now) {
    std::size_t ready = 0;
    for (const auto& server : hub.servers.all())
        ready += server->ready() ? 1 : 0;
    obs::jupyterhub::running_servers().plain().set(static_cast<double>(ready));
    obs::jupyterhub::total_users().plain().set(static_cast<double>(hub.directory.user_count()));
    struct Period {
        const char* name;
        std::chrono::hours span;
        std::size_t users = 0;
    } periods[] = {
        {"24h", std::chrono::hours(24)}, {"7d", std::chrono::hours(168)}, {"30d", std::chrono::hours(720)}};
    for (const auto* user : hub.directory.users_by_id()) {
        for (auto& period : periods) {
            if (user->row.last_activity && now - *user->row.last_activity <= period.span) ++period.users;
        }
    }
    for (const auto& period : periods) {
        obs::jupyterhub::active_users()
            .with({{"period", period.name}})
            .set(static_cast<double>(period.users));
    }
}

}  // namespace

awaitable<Result<http::Response>> get_metrics(Dependencies& hub, Call& call) {
    if (hub.options.authenticate_metrics) {
        const access::AccessCheck access(hub.directory);
        BERTH_CO_CHECK(access.check(call.who(), {"read:metrics"}, access::Target::none()));
    }
    refresh_gauges(hub, call.now);
    http::Response response;
    response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    response.body = obs::render();
    co_return response;
}

awaitable<Result<http::Response>> post_shutdown(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_TRY(const auto proxy, flag_member(body, "proxy"));
    BERTH_CO_TRY(const auto servers, flag_member(body, "servers"));
    ShutdownWish wish;
    wish.proxy = proxy.value_or(wish.proxy);
    wish.servers = servers.value_or(wish.servers);
    log::info("hub.shutdown_requested", {{"by", call.permit->principal_name()}, {"servers", wish.servers}});
    hub.shut_down(wish);
    co_return http::Response::json(202, json::object{{"message", "Shutting down Hub"}});
}

}  // namespace berth::api
