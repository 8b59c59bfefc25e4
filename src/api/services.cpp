// Services (hub-protocol §11.1, §12.3).
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "base/text.hpp"

namespace berth::api {
namespace {

constexpr std::string_view kServiceKeys[] = {
    "name",
    "admin",
    "url",
    "oauth_client_allowed_scopes",
    "api_token",
    "info",
    "display",
    "oauth_no_confirm",
    "oauth_client_id",
    "oauth_redirect_uri"};

Result<const store::ServiceRow*> find_service(const Dependencies& hub, const Call& call) {
    const auto* service = hub.directory.find(ServiceName(call.arguments.at(0)));
    if (service == nullptr) return not_found("No such service: " + ellipsized(call.arguments.at(0), 64));
    return service;
}

Result<config::ServiceOptions> options_of(const json::object& body, const std::string& name) {
    config::ServiceOptions options;
    options.name = name;
    BERTH_TRY(const auto admin, flag_member(body, "admin"));
    BERTH_TRY(const auto url, text_member(body, "url"));
    BERTH_TRY(const auto token, text_member(body, "api_token"));
    BERTH_TRY(const auto scopes, texts_member(body, "oauth_client_allowed_scopes"));
    BERTH_TRY(const auto redirect, text_member(body, "oauth_redirect_uri"));
    BERTH_TRY(const auto display, flag_member(body, "display"));
    BERTH_TRY(const auto no_confirm, flag_member(body, "oauth_no_confirm"));
    options.admin = admin.value_or(false);
    options.url = url.value_or("");
    options.api_token = Secret(token.value_or(""));
    options.oauth_client_allowed_scopes = scopes.value_or(std::vector<std::string>{});
    options.oauth_redirect_uri = redirect.value_or("");
    options.display = display.value_or(true);
    options.oauth_no_confirm = no_confirm.value_or(false);
    // The id names the client in consent and audit: it follows from the service's name.
    BERTH_TRY(const auto client_id, text_member(body, "oauth_client_id"));
    if (client_id && *client_id != "service-" + name)
        return bad_request("oauth_client_id must be 'service-" + ellipsized(name, 64) + "'");
    if (const auto* info = object_at(body, "info")) options.info = *info;
    return options;
}

// Scopes of an OAuth client are resolved for whoever visits it. Who is no administrator may therefore hand on
// only what they hold for everybody, and nobody's consent may be left out for them.
Result<void> check_client_scopes(
    const Dependencies& hub, const Call& call, const config::ServiceOptions& options) {
    const access::AccessCheck access(hub.directory);
    if (options.admin || options.oauth_no_confirm)
        BERTH_CHECK(access.check_admin_change(call.who(), "admin:services", call.permit->target()));
    if (call.who().admin) return {};
    std::vector<std::string> held_for_everybody;
    for (const auto& scope : options.oauth_client_allowed_scopes) {
        if (scope == "inherit" || scope == "self")
            return bad_request("Only administrators may make a client that is given '" + scope + "'");
        const auto filter = scope.find('!');
        const bool of_visitor = filter != std::string::npos && scope.find('=', filter) == std::string::npos;
        held_for_everybody.push_back(of_visitor ? scope.substr(0, filter) : scope);
    }
    if (!call.who().scopes().contains(access::expand(held_for_everybody, {}), hub.directory))
        return bad_request("Not assigning requested scopes that you do not hold yourself");
    return {};
}

}  // namespace

// An object by name, never a list and never in pages.
awaitable<Result<http::Response>> get_services(Dependencies& hub, Call& call) {
    const auto* reach = call.who().scopes().find("list:services");
    json::object models;
    for (const auto* service : hub.directory.services()) {
        const auto target = access::Target::of(service->name);
        if (reach == nullptr || !(reach->everywhere || reach->covers(target, hub.directory))) continue;
        if (auto model = service_model(hub, call.who(), *service))
            models[service->name.value] = std::move(*model);
    }
    co_return http::Response::json(200, models);
}

awaitable<Result<http::Response>> get_service(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* service, find_service(hub, call));
    co_return http::Response::json(200, service_model(hub, call.who(), *service).value_or(json::object{}));
}

awaitable<Result<http::Response>> post_service(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto body, object_body(call.request));
    if (body.contains("command"))
        co_return bad_request("A service with a command must be in the configuration file");
    BERTH_CO_CHECK(only_keys(body, kServiceKeys));
    BERTH_CO_TRY(auto options, options_of(body, call.arguments.at(0)));
    BERTH_CO_CHECK(check_client_scopes(hub, call, options));
    auto audit = audit_of(call, "service.create", options.name);
    BERTH_CO_TRY(
        const auto id, co_await hub.directory.create_service(std::move(options), call.now, std::move(audit)));
    const auto* service = hub.directory.find(id);
    if (service == nullptr) co_return not_found();
    if (!service->url.empty()) {
        auto route = hub::service_route(hub.directory.service_prefix(*service), service->url, service->name);
        BERTH_CO_CHECK(co_await hub.routes.put(std::move(route), Deadline::in(std::chrono::seconds(5))));
    }
    co_return http::Response::json(201, service_model(hub, call.who(), *service).value_or(json::object{}));
}

awaitable<Result<http::Response>> delete_service(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* service, find_service(hub, call));
    const std::string prefix = hub.directory.service_prefix(*service);
    const bool routed = !service->url.empty();
    BERTH_CO_CHECK(co_await hub.directory.remove_service(
        service->id, audit_of(call, "service.remove", service->name.value)));
    if (routed) BERTH_CO_CHECK(co_await hub.routes.withdraw(prefix, Deadline::in(std::chrono::seconds(5))));
    co_return http::Response::empty(200);
}

}  // namespace berth::api
