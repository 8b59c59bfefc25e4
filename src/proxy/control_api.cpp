#include "proxy/control_api.hpp"

#include "base/text.hpp"
#include "proxy/metrics.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace berth::proxy {
namespace {

json::object shown(const Route& route) {
    auto data = route.data;
    data["last_activity"] = iso_milliseconds(route.last_activity.load(std::memory_order_relaxed));
    return data;
}

bool is_space(char c) {
    return c == ' ' || c == '\t';
}

// What follows the word "token" in the field: CHP's /token\s+(\S+)/, which may match anywhere.
std::string_view token_in(std::string_view field) {
    constexpr std::string_view kWord = "token";
    for (auto at = field.find(kWord); at != std::string_view::npos; at = field.find(kWord, at + 1)) {
        auto rest = field.substr(at + kWord.size());
        if (rest.empty() || !is_space(rest.front())) continue;
        rest = trim(rest);
        std::size_t end = 0;
        while (end < rest.size() && !is_space(rest[end]))
            ++end;
        if (end > 0) return rest.substr(0, end);
    }
    return {};
}

http::Response bad_request(std::string text) {
    return http::Response::text(400, std::move(text) + "\n");
}

}  // namespace

std::string iso_milliseconds(std::int64_t unix_ms) {
    const std::time_t seconds = unix_ms / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 80> text{};
    const int size = std::snprintf(
        text.data(),
        text.size(),
        "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        static_cast<int>(unix_ms % 1000));
    return {text.data(), static_cast<std::size_t>(size)};
}

bool ControlApi::is_authorized(const http::Request& request) const {
    if (token_.empty()) return true;
    const auto field = request.headers.find("Authorization");
    return field && token_.equals(token_in(*field));
}

http::Response ControlApi::handle(const http::Request& request) {
    auto response = answer(request);
    count_api_answer(response.status);
    return response;
}

http::Response ControlApi::answer(const http::Request& request) {
    constexpr std::string_view kRoutes = "/api/routes";
    constexpr std::string_view kEdge = "/api/edge/";
    const auto raw = request.path();
    const bool is_routes = raw == kRoutes || (raw.starts_with(kRoutes) && raw[kRoutes.size()] == '/');
    if (!is_authorized(request)) return http::Response::empty(403);
    if (raw.starts_with(kEdge) && request.method == http::Method::get)
        return first_files(raw.substr(kEdge.size()));
    if (!is_routes) return http::Response::empty(404);
    const auto path = percent_decode(raw.substr(kRoutes.size()));
    if (!path || !is_valid_utf8(*path)) return bad_request("The route's path is not percent-encoded UTF-8.");
    switch (request.method) {
        case http::Method::get:
            count_route_call(RouteCall::get);
            return get(request, *path);
        case http::Method::post:
            count_route_call(RouteCall::add);
            return post(request, *path);
        case http::Method::del:
            count_route_call(RouteCall::remove);
            return http::Response::empty(routes_.remove(*path) ? 204 : 404);
        default:
            return http::Response::empty(405);
    }
}

http::Response ControlApi::get(const http::Request& request, std::string_view path) const {
    if (trim_slashes(path).empty()) return list(request);
    const auto route = routes_.table()->find_exact(path);
    if (!route) return http::Response::empty(404);
    return http::Response::json(200, shown(*route));
}

http::Response ControlApi::first_files(std::string_view path) const {
    const auto key = percent_decode(path);
    const auto route = key ? routes_.table()->find_exact(*key) : nullptr;
    if (!route || !route->edge) return http::Response::empty(404);
    json::array files;
    for (const auto& each : route->edge->first_files())
        files.emplace_back(each);
    return http::Response::json(200, json::object{{"files", std::move(files)}});
}

http::Response ControlApi::list(const http::Request& request) const {
    auto since = request.query_value("inactiveSince");
    if (!since) since = request.query_value("inactive_since");
    std::int64_t limit = INT64_MAX;
    if (since) {
        // A '+' of the zone that was not escaped has become a space.
        if (const auto space = since->rfind(' '); space != std::string::npos && space > 10)
            (*since)[space] = '+';
        const auto time = parse_rfc3339(*since);
        if (!time) return bad_request("Invalid datestamp '" + ellipsized(*since, 100) + "' must be ISO8601.");
        limit = std::chrono::duration_cast<std::chrono::milliseconds>(time->time_since_epoch()).count();
    }
    json::object all;
    routes_.table()->for_each([&](const RoutePtr& route) {
        if (route->last_activity.load(std::memory_order_relaxed) < limit)
            all["/" + route->key] = shown(*route);
    });
    return http::Response::json(200, std::move(all));
}

http::Response ControlApi::post(const http::Request& request, std::string_view path) {
    auto body = parse_json(request.body);
    auto* data = body ? body->if_object() : nullptr;
    if (data == nullptr) return bad_request("Body not valid JSON object.");
    data->erase("last_activity");
    if (auto done = routes_.put(path, std::move(*data)); !done) return bad_request(done.error().message);
    return http::Response::empty(201);
}

}  // namespace berth::proxy
