#include "hub/routes.hpp"

#include "async/back_off.hpp"
#include "base/text.hpp"
#include "hub/errors.hpp"
#include "hub/servers.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"

#include <vector>

namespace berth::hub {
namespace {

// The proxy keeps routes decoded and without the last slash; ours are escaped and end with one (hub-protocol
// §15).
std::string routespec_of(std::string_view key) {
    std::string spec;
    for (const auto part : split(key, '/')) {
        if (part.empty()) continue;
        spec += "/" + url_escape_path(part);
    }
    return spec + "/";
}

json::object body_of(const Route& route) {
    json::object body = route.data;
    body["target"] = route.target;
    body["jupyterhub"] = true;
    return body;
}

// Of a route that is present: when this is the same, it need not be sent again.
std::string what_matters(const json::object& data, std::string target) {
    return target.append(" ").append(string_at(data, "edge").value_or(""));
}

bool is_server(const Route& route) {
    return route.data.contains("user");
}

// Observes how long the scope took, as seconds.
class Stopwatch {
public:
    explicit Stopwatch(obs::Histogram& into) : into_(into) {}
    Stopwatch(const Stopwatch&) = delete;
    ~Stopwatch() {
        const double took = obs::seconds_since(begin_);
        into_.observe(took);
    }

private:
    obs::Histogram& into_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// As JupyterHub counts calls of the proxy's API: by whether they succeeded.
void count_call(obs::Family<obs::Histogram>& into, bool good, std::chrono::steady_clock::time_point begin) {
    const double took = obs::seconds_since(begin);
    into.with({{"status", good ? "success" : "failure"}}).observe(took);
}

Error unreachable(std::string detail) {
    return Error{
        HubErrc::proxy_unreachable,
        "The proxy did not take the route; it is being restarted. Try again in a moment.",
        std::move(detail)};
}

}  // namespace

Route service_route(std::string prefix, std::string_view url, const ServiceName& name) {
    Route route;
    route.routespec = std::move(prefix);
    route.target = origin_of(url);
    route.data = {{"service", name.value}};
    return route;
}

Routes::Routes(net::Endpoint proxy_api, Secret token)
    : client_(std::move(proxy_api)), token_(std::move(token)) {}

http::Headers Routes::headers() const {
    return {{"Authorization", "token " + token_.reveal()}, {"Content-Type", "application/json"}};
}

awaitable<Result<void>> Routes::put(Route route, Deadline deadline) {
    wanted_.insert_or_assign(route.routespec, route);
    if (is_server(route)) co_await withdraw_others(route.routespec, route.target, deadline);
    co_return co_await post(std::move(route), deadline);
}

// Two servers never share an address. So the other one has lost it, and the hub was not told.
awaitable<> Routes::withdraw_others(std::string routespec, std::string target, Deadline limit) {
    std::vector<std::string> others;
    for (const auto& [spec, route] : wanted_) {
        if (route.target == target && spec != routespec && is_server(route)) others.push_back(spec);
    }
    for (auto& other : others) {
        log::error("route.lost_its_target", {{"route", other}, {"target", target}, {"now_of", routespec}});
        (void)co_await withdraw(std::move(other), limit);
    }
}

awaitable<Result<void>> Routes::withdraw(std::string routespec, Deadline limit) {
    wanted_.erase(routespec);
    BackOff pause;
    while (!wanted_.contains(routespec)) {
        auto gone = co_await del(routespec, limit);
        if (gone) co_return gone;
        log::warn("route.delayed", {{"route", routespec}, {"detail", gone.error().detail}});
        if (limit.passed()) co_return gone;
        co_await pause.wait();
    }
    co_return Result<void>{};
}

awaitable<Result<void>> Routes::post(Route route, Deadline deadline) {
    http::ClientRequest request;
    request.method = http::Method::post;
    request.target = "/api/routes" + route.routespec;
    request.headers = headers();
    request.body = json::serialize(body_of(route));
    const auto begin = std::chrono::steady_clock::now();
    auto answer = co_await client_.send(std::move(request), deadline);
    count_call(obs::jupyterhub::proxy_add_duration(), answer && answer->status == 201, begin);
    if (!answer) co_return unreachable(answer.error().detail + answer.error().message);
    if (answer->status != 201)
        co_return unreachable("POST " + route.routespec + " gave " + std::to_string(answer->status));
    co_return Result<void>{};
}

awaitable<Result<void>> Routes::del(std::string routespec, Deadline deadline) {
    http::ClientRequest request;
    request.method = http::Method::del;
    request.target = "/api/routes" + routespec;
    request.headers = headers();
    const auto begin = std::chrono::steady_clock::now();
    auto answer = co_await client_.send(std::move(request), deadline);
    const bool good = answer && (answer->status == 204 || answer->status == 404);
    count_call(obs::jupyterhub::proxy_delete_duration(), good, begin);
    if (!answer) co_return unreachable(answer.error().detail + answer.error().message);
    if (answer->status != 204 && answer->status != 404)
        co_return unreachable("DELETE " + routespec + " gave " + std::to_string(answer->status));
    co_return Result<void>{};
}

awaitable<Result<json::object>> Routes::fetch(Deadline deadline) {
    const Stopwatch stopwatch(obs::jupyterhub::proxy_poll_duration().plain());
    http::ClientRequest request;
    request.target = "/api/routes";
    request.headers = headers();
    auto answer = co_await client_.send(std::move(request), deadline);
    if (!answer) co_return unreachable(answer.error().detail + answer.error().message);
    auto table = parse_json(answer->body);
    if (answer->status != 200 || !table || !table->is_object())
        co_return unreachable("GET /api/routes gave " + std::to_string(answer->status));
    co_return std::move(table->as_object());
}

awaitable<Result<void>> Routes::check(Deadline deadline) {
    const Stopwatch stopwatch(obs::jupyterhub::check_routes_duration().plain());
    BERTH_CO_TRY(const auto table, co_await fetch(deadline));
    std::vector<std::string> unwanted;
    std::map<std::string, std::string> present;
    for (const auto& [key, value] : table) {
        const auto* data = value.if_object();
        if (data == nullptr || !bool_at(*data, "jupyterhub").value_or(false)) continue;
        const std::string spec = routespec_of(key);
        if (wanted_.contains(spec))
            present[spec] = what_matters(*data, string_at(*data, "target").value_or(""));
        else
            unwanted.push_back(spec);
    }
    std::vector<Route> missing;
    for (const auto& [spec, route] : wanted_) {
        const auto it = present.find(spec);
        if (it == present.end() || it->second != what_matters(route.data, route.target))
            missing.push_back(route);
    }
    for (auto& spec : unwanted) {
        if (wanted_.contains(spec)) continue;  // wanted again while we waited
        log::info("route.removed", {{"route", spec}, {"why", "nothing runs behind it"}});
        BERTH_CO_CHECK(co_await del(spec, deadline));
    }
    for (auto& route : missing) {
        const auto still = wanted_.find(route.routespec);
        if (still == wanted_.end() || still->second.target != route.target) continue;
        BERTH_CO_CHECK(co_await post(route, deadline));
    }
    co_return Result<void>{};
}

awaitable<Result<std::vector<std::string>>> Routes::first_files(std::string routespec, Deadline deadline) {
    http::ClientRequest request;
    request.target = "/api/edge" + routespec;
    request.headers = headers();
    auto answer = co_await client_.send(std::move(request), deadline);
    if (!answer) co_return unreachable(answer.error().detail + answer.error().message);
    std::vector<std::string> files;
    const auto document = parse_json(answer->body);
    const auto* object = document ? document->if_object() : nullptr;
    const auto* list = object && answer->status == 200 ? array_at(*object, "files") : nullptr;
    if (list == nullptr) co_return files;
    for (const auto& each : *list) {
        if (const auto* text = each.if_string()) files.emplace_back(*text);
    }
    co_return files;
}

awaitable<Result<std::map<std::string, Timestamp>>> Routes::activity(Deadline deadline) {
    BERTH_CO_TRY(const auto table, co_await fetch(deadline));
    std::map<std::string, Timestamp> times;
    for (const auto& [key, value] : table) {
        const auto* data = value.if_object();
        if (data == nullptr) continue;
        const auto text = string_at(*data, "last_activity");
        const auto time = text ? parse_rfc3339(*text) : std::nullopt;
        if (time) times[routespec_of(key)] = *time;
    }
    co_return times;
}

}  // namespace berth::hub
