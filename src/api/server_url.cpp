// /hub/user/…: requests for a server that has no route, so it does not run (hub-protocol §2.5). Open Lab tabs
// poll here after a stop and must get 424 quickly; people get a page with a way to start.
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/pages.hpp"
#include "async/deadline.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::api {
namespace {

constexpr int kMaxRedirects = 4;

std::string_view rest_of(const Call& call) {
    return call.arguments.size() > 1 ? std::string_view(call.arguments[1]) : std::string_view();
}

// "/user/ann/gpu/lab": where the browser wanted to go, without the hub's prefix.
std::string user_url(const Dependencies& hub, const Call& call) {
    return hub.options.base_path() + "user/" + url_escape_path(call.user().value) +
           std::string(rest_of(call));
}

std::string first_segment(const Call& call) {
    auto rest = rest_of(call);
    if (rest.starts_with('/')) rest.remove_prefix(1);
    return percent_decode(rest.substr(0, rest.find('/'))).value_or("");
}

bool has_api_segment(const Call& call) {
    const auto segments = split(rest_of(call), '/');
    return std::find(segments.begin(), segments.end(), "api") != segments.end();
}

bool prefers_json(const http::Request& request) {
    const auto accept = request.headers.find("Accept").value_or("");
    const auto json_at = accept.find("application/json");
    const auto html_at = accept.find("text/html");
    return json_at != std::string_view::npos && (html_at == std::string_view::npos || json_at < html_at);
}

// The named server, when there is one of that name; else the default one.
ServerKey meant_server(const Dependencies& hub, const Call& call) {
    ServerKey named{call.user(), ServerName(first_segment(call))};
    if (!named.server.empty() && hub.servers.find(named)) return named;
    return {call.user(), ServerName{}};
}

bool may_access(const Dependencies& hub, const Call& call) {
    const access::AccessCheck access(hub.directory);
    if (access.allows(call.who(), "access:servers", access::Target::of(ServerKey{call.user(), {}})))
        return true;
    const ServerName named(first_segment(call));
    return !named.empty() &&
           access.allows(call.who(), "access:servers", access::Target::of(ServerKey{call.user(), named}));
}

http::Response not_running_json(const Dependencies& hub, const Call& call, const ServerKey& key) {
    const std::string spawn = hub.gate.scheme_of(call.request) + "://" + hub.gate.host_of(call.request) +
                              hub_path(hub) + "spawn/" + server_path(key);
    const std::string message = "JupyterHub server not running, so " + user_url(hub, call) +
                                " cannot be answered. Start it at " + spawn;
    return http::Response::json(424, json::object{{"message", message}});
}

// Ready, and yet the request came here: the proxy has not taken the route yet. Each further bounce waits
// longer.
awaitable<Result<http::Response>> bounce(Dependencies& hub, Call& call) {
    int redirects = 0;
    if (const auto text = call.request.query_value("redirects")) {
        std::from_chars(text->data(), text->data() + text->size(), redirects);
    }
    if (redirects >= kMaxRedirects) co_return status_as_page(hub, call, 500, "Redirect loop detected.");
    if (redirects > 0) co_await sleep_for(std::chrono::seconds(std::min(1 << redirects, 10)));
    std::string url = user_url(hub, call);
    url += "?redirects=" + std::to_string(redirects + 1);
    for (const auto& [name, value] : call.request.query_values()) {
        if (name != "redirects")
            url.append("&").append(url_escape_query(name)).append("=").append(url_escape_query(value));
    }
    co_return http::Response::redirect(std::move(url));
}

// It must not be told that the server does not run: Lab would offer to start it, and there is one.
http::Response unreachable(const Dependencies& hub, const Call& call) {
    const std::string message =
        "The server runs, but was taken off its network, so nothing leads to it. What it computes goes on. "
        "An administrator can connect it again; then this page opens it. To give it up, stop it on the home "
        "page.";
    if (has_api_segment(call) || prefers_json(call.request))
        return http::Response::json(503, json::object{{"message", message}});
    return status_as_page(hub, call, 503, message);
}

http::Response not_running(const Dependencies& hub, const Call& call, const ServerKey& key) {
    const auto server = hub.servers.find(key);
    std::string target = user_url(hub, call);
    if (!call.request.query().empty()) target.append("?").append(call.request.query());
    const std::string next = "?next=" + url_escape_query(target);
    const bool failed = server && !server->active() && (server->failure || !server->row.failure.empty());
    // A failed start is told on the 424 page itself, where the way to start again is.
    if (server && server->active()) {
        return http::Response::redirect(hub_path(hub) + "spawn-pending/" + server_path(key) + next, 303);
    }
    web::NotRunningModel model;
    const bool own = call.who().is(key.user);
    model.server_label = own ? "Your server" : key.user.value + "'s server";
    if (!key.server.empty()) model.server_label += " " + key.server.value;
    const access::AccessCheck access(hub.directory);
    if (access.allows(call.who(), "servers", access::Target::of(key))) {
        model.start_url = hub_path(hub) + "spawn/" + server_path(key) + next;
    }
    if (failed) model.failure = server->failure ? server->failure->message : server->row.failure;
    if (!failed && server) model.stopped_because = server->row.stopped_because;
    return html(424, web::not_running_page(page_context(hub, call), model));
}

}  // namespace

awaitable<Result<http::Response>> get_server_url(Dependencies& hub, Call& call) {
    if (call.request.method == http::Method::head) co_return Error{ApiErrc::method_not_allowed, {}};
    if (!call.who().authenticated()) {
        co_return Error{access::AccessErrc::not_authenticated, "Missing or invalid credentials."};
    }
    if (!may_access(hub, call)) {
        co_return Error{access::AccessErrc::hidden, "No access to resources or resources not found"};
    }
    if (hub.directory.find(call.user()) == nullptr) co_return not_found();
    const ServerKey key = meant_server(hub, call);
    const auto server = hub.servers.find(key);
    if (server && server->unreachable()) co_return unreachable(hub, call);
    if (server && server->ready()) co_return co_await bounce(hub, call);
    if (has_api_segment(call) || prefers_json(call.request)) co_return not_running_json(hub, call, key);
    co_return not_running(hub, call, key);
}

// POST, PATCH, DELETE: whoever asks (the name of a server is looked at for its owner only).
awaitable<Result<http::Response>> change_server_url(Dependencies& hub, Call& call) {
    const ServerKey plain{call.user(), ServerName{}};
    const ServerKey key = call.who().is(call.user()) ? meant_server(hub, call) : plain;
    co_return not_running_json(hub, call, key);
}

}  // namespace berth::api
