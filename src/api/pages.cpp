#include "api/pages.hpp"

#include "api/audit.hpp"
#include "api/error_response.hpp"
#include "base/text.hpp"

namespace berth::api {

std::string hub_path(const Dependencies& hub) {
    return hub.options.base_path() + "hub/";
}

web::PageContext page_context(const Dependencies& hub, const Call& call) {
    web::PageContext context;
    context.base_path = hub.options.base_path();
    context.hub_path = hub_path(hub);
    if (call.who().user) context.user = call.who().name;
    context.admin = call.who().scopes().has_anywhere("admin-ui");
    context.xsrf = call.visit.xsrf_token;
    context.nonce = call.nonce;
    context.version = BERTH_VERSION;
    context.gpus = hub.inventory.any() && call.who().scopes().has_anywhere("gpu:read");
    if (auto banner = hub.sign_in.authenticator().banner(); !banner.empty()) {
        context.banners.push_back({web::BannerKind::warning, std::move(banner)});
    }
    if (hub.inventory.simulated()) {
        context.banners.push_back(
            {web::BannerKind::info, "The GPUs here are simulated: there is no real device behind them."});
    }
    return context;
}

void give_pass(const Dependencies& hub, const Call& call, const ServerKey& key, http::Response& response) {
    auto pass = hub.edge.pass_for(key, call.now);
    if (!pass) return;
    hub.gate.set_pass(
        call.request,
        response,
        proxy::kEdgeCookie,
        std::move(pass->value),
        std::move(pass->path),
        pass->seconds);
}

// Those for other people's servers end by themselves: the browser does not say for which it holds one.
void take_passes(const Dependencies& hub, const Call& call, const UserName& user, http::Response& response) {
    for (const auto& server : hub.servers.of_user(user)) {
        auto pass = hub.edge.pass_for(server->key, call.now);
        if (!pass) return;
        hub.gate.set_pass(call.request, response, proxy::kEdgeCookie, "", std::move(pass->path), 0);
    }
}

http::Response html(unsigned status, std::string page) {
    return http::Response::html(status, std::move(page));
}

http::Response redirect_to_login(const Dependencies& hub, const Call& call) {
    return http::Response::redirect(hub_path(hub) + "login?next=" + url_escape_query(call.request.target));
}

http::Response status_as_page(
    const Dependencies& hub, const Call& call, unsigned status, std::string message) {
    web::ErrorModel model;
    model.status = static_cast<int>(status);
    model.message = std::move(message);
    return html(status, web::error_page(page_context(hub, call), model));
}

http::Response error_as_page(const Dependencies& hub, const Call& call, const Error& error) {
    auto response = status_as_page(hub, call, status_of(error), message_of(error));
    if (const auto seconds = retry_after(error)) response.headers.add("Retry-After", std::to_string(seconds));
    return response;
}

std::string next_or(const Dependencies& hub, const Call& call, std::string fallback) {
    if (const auto next = call.request.query_value("next")) {
        if (auto valid = hub.gate.valid_next(call.request, *next)) return *valid;
    }
    char separator = fallback.find('?') == std::string::npos ? '?' : '&';
    for (const auto& [name, value] : call.request.query_values()) {
        if (name == "next" || name == "_xsrf") continue;
        fallback += separator;
        fallback.append(url_escape_query(name)).append("=").append(url_escape_query(value));
        separator = '&';
    }
    return fallback;
}

std::string landing_url(const Dependencies& hub, const UserName& user) {
    const auto server = hub.servers.find({user, ServerName{}});
    if (server && server->active()) return server->prefix(hub.options.base_path());
    return hub_path(hub) + "spawn";
}

namespace {

// The browser's session of before, whoever's it was.
awaitable<Result<void>> end_earlier_session(Dependencies& hub, Call& call) {
    const std::string before = call.request.cookie(gate::kSessionCookie).value_or("");
    const auto* old = hub.directory.find_session(before);
    const auto* owner = old == nullptr ? nullptr : hub.directory.find(old->user);
    if (owner == nullptr) co_return Result<void>{};
    auto audit = audit_of(call, "user.sign_out", owner->name().value, "another sign-in in the same browser");
    audit.principal = "user:" + owner->name().value;
    co_return co_await hub.directory.end_session(owner->id(), before, std::move(audit));
}

}  // namespace

awaitable<Result<void>> begin_session(
    Dependencies& hub, Call& call, UserId user, std::string method, http::Response& response) {
    BERTH_CO_CHECK(co_await end_earlier_session(hub, call));
    const auto* found = hub.directory.find(user);
    if (found == nullptr) co_return not_found();
    auto audit = audit_of(
        call, "user.sign_in", found->name().value, "from " + std::string(call.request.client_address()));
    audit.principal = "user:" + found->name().value;
    audit.permit = std::move(method);
    hub.gate.sign_in(call.request, *found, call.now, call.visit, response);
    const std::string agent(call.request.headers.find("User-Agent").value_or(""));
    co_return co_await hub.directory.create_session(
        user,
        call.visit.session_id,
        call.request.client_address(),
        ellipsized(agent, 256),
        call.now,
        std::move(audit));
}

std::string server_path(const ServerKey& key) {
    std::string path = url_escape_path(key.user.value);
    if (!key.server.empty()) path.append("/").append(url_escape_path(key.server.value));
    return path;
}

}  // namespace berth::api
