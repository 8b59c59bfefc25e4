#include "obs/jupyterhub_metrics.hpp"

namespace berth::obs::jupyterhub {
namespace {

std::vector<double> start_bounds() {
    return {0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180, 300, 600};
}

}  // namespace

Family<Histogram>& request_duration() {
    static auto& family = histogram(
        "jupyterhub_request_duration_seconds", "Request duration for all HTTP requests", request_bounds());
    return family;
}
Family<Histogram>& server_spawn_duration() {
    static auto& family = histogram(
        "jupyterhub_server_spawn_duration_seconds",
        "Time taken for server spawning operation",
        start_bounds());
    return family;
}
Family<Gauge>& running_servers() {
    static auto& family = gauge("jupyterhub_running_servers", "The number of user servers currently running");
    return family;
}
Family<Gauge>& total_users() {
    static auto& family = gauge("jupyterhub_total_users", "Total number of users");
    return family;
}
Family<Gauge>& active_users() {
    static auto& family =
        gauge("jupyterhub_active_users", "Number of users who were active in the given time period");
    return family;
}
Family<Histogram>& check_routes_duration() {
    static auto& family = histogram(
        "jupyterhub_check_routes_duration_seconds",
        "Time taken to validate all routes in proxy",
        request_bounds());
    return family;
}
Family<Histogram>& hub_startup_duration() {
    static auto& family =
        histogram("jupyterhub_hub_startup_duration_seconds", "Time taken for Hub to start", request_bounds());
    return family;
}
Family<Histogram>& init_spawners_duration() {
    static auto& family = histogram(
        "jupyterhub_init_spawners_duration_seconds",
        "Time taken for spawners to initialize",
        request_bounds());
    return family;
}
Family<Histogram>& proxy_poll_duration() {
    static auto& family = histogram(
        "jupyterhub_proxy_poll_duration_seconds",
        "Duration for polling all routes from proxy",
        request_bounds());
    return family;
}
Family<Histogram>& proxy_add_duration() {
    static auto& family = histogram(
        "jupyterhub_proxy_add_duration_seconds",
        "Duration for adding user routes to proxy",
        request_bounds());
    return family;
}
Family<Histogram>& proxy_delete_duration() {
    static auto& family = histogram(
        "jupyterhub_proxy_delete_duration_seconds",
        "Duration for deleting user routes from proxy",
        request_bounds());
    return family;
}
Family<Histogram>& server_poll_duration() {
    static auto& family = histogram(
        "jupyterhub_server_poll_duration_seconds",
        "Time taken to poll if server is running",
        request_bounds());
    return family;
}
Family<Histogram>& server_stop_duration() {
    static auto& family = histogram(
        "jupyterhub_server_stop_seconds", "Time taken for server stopping operation", request_bounds());
    return family;
}
Family<Histogram>& login_duration() {
    static auto& family = histogram(
        "jupyterhub_login_duration_seconds", "Login duration for all login requests", request_bounds());
    return family;
}
Family<Histogram>& logout_duration() {
    static auto& family = histogram(
        "jupyterhub_logout_duration_seconds", "Logout duration for all logout requests", request_bounds());
    return family;
}
Family<Counter>& csp_reports() {
    static auto& family = counter(
        "jupyterhub_csp_reports_total", "Number of Content-Security-Policy violation reports received");
    return family;
}

void declare_all() {
    request_duration();
    for (auto* status : {"success", "failure", "error"})
        server_spawn_duration().with({{"status", status}, {"reason", ""}});
    running_servers().plain();
    total_users().plain();
    for (auto* period : {"24h", "7d", "30d"})
        active_users().with({{"period", period}});
    check_routes_duration().plain();
    hub_startup_duration().plain();
    init_spawners_duration().plain();
    proxy_poll_duration().plain();
    for (auto* status : {"success", "failure"}) {
        proxy_add_duration().with({{"status", status}});
        proxy_delete_duration().with({{"status", status}});
        server_stop_duration().with({{"status", status}});
        login_duration().with({{"status", std::string("LoginStatus.") + status}});
    }
    for (auto* status : {"running", "stopped"})
        server_poll_duration().with({{"status", status}});
    logout_duration().plain();
    csp_reports().plain();
}

}  // namespace berth::obs::jupyterhub
