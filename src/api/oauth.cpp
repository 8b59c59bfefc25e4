// The OAuth 2 provider's two addresses (hub-protocol §3): a page that people pass through, and the token
// endpoint.
#include "access/scopes.hpp"
#include "api/audit.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/pages.hpp"

namespace berth::api {
namespace {

identity::Parameters parameters_of(const http::Request& request) {
    identity::Parameters parameters;
    for (auto& [name, value] : request.query_values())
        parameters.push_back({std::move(name), std::move(value)});
    return parameters;
}

std::string host_in(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return "this hub";
    const auto rest = url.substr(scheme + 3);
    return std::string(rest.substr(0, rest.find_first_of("/?#")));
}

http::Response consent_page(
    const Dependencies& hub, const Call& call, const identity::Authorization& authorization) {
    web::AuthorizeModel model;
    model.client_description = authorization.client_description;
    model.redirect_host = host_in(authorization.redirect_uri);
    for (const auto& scope : authorization.scopes) {
        model.scopes.push_back({scope, access::describe_scope(scope)});
    }
    return html(200, web::authorize_page(page_context(hub, call), model));
}

// The notebook server whose client it is, if it is one's.
std::optional<ServerKey> server_of_client(const Dependencies& hub, const std::string& client_id) {
    const auto* client = hub.directory.find_client(client_id);
    if (client == nullptr || !client->server) return std::nullopt;
    const auto server = hub.servers.find(*client->server);
    return server ? std::optional(server->key) : std::nullopt;
}

Error not_signed_in() {
    return {access::AccessErrc::not_authenticated, "Missing or invalid credentials."};
}

awaitable<Result<http::Response>> authorize(
    Dependencies& hub, Call& call, std::optional<std::vector<std::string>> consented) {
    const auto* visitor = call.who().user ? hub.directory.find(*call.who().user) : nullptr;
    if (visitor == nullptr) co_return not_signed_in();
    auto outcome = hub.oauth.check(parameters_of(call.request), *visitor, consented);
    if (const auto* fatal = std::get_if<identity::FatalError>(&outcome)) {
        co_return status_as_page(
            hub, call, static_cast<unsigned>(identity::http_status(fatal->reason)), fatal->message);
    }
    if (auto* error = std::get_if<identity::RedirectError>(&outcome)) {
        co_return http::Response::redirect(std::move(error->location));
    }
    auto authorization = std::get<identity::Authorization>(std::move(outcome));
    const auto server = server_of_client(hub, authorization.client_id);
    if (authorization.needs_confirmation && !consented) co_return consent_page(hub, call, authorization);
    identity::Audit audit = audit_of(call, "oauth.code", "");
    BERTH_CO_TRY(
        auto location,
        co_await hub.oauth.issue_code(
            std::move(authorization), visitor->id(), call.visit.session_id, call.now, std::move(audit)));
    auto response = http::Response::redirect(std::move(location));
    const access::AccessCheck access(hub.directory);
    if (server && access.allows(call.who(), "access:servers", access::Target::of(*server)))
        give_pass(hub, call, *server, response);
    co_return response;
}

}  // namespace

awaitable<Result<http::Response>> get_authorize(Dependencies& hub, Call& call) {
    return authorize(hub, call, std::nullopt);
}

awaitable<Result<http::Response>> post_authorize(Dependencies& hub, Call& call) {
    std::vector<std::string> scopes;
    if (const auto form = http::parse_form(call.request)) {
        for (const auto& field : *form) {
            if (field.name == "scopes" && !field.value.empty()) scopes.push_back(field.value);
        }
    }
    if (scopes.empty()) scopes.emplace_back("identify");
    return authorize(hub, call, std::move(scopes));
}

awaitable<Result<http::Response>> post_oauth_token(Dependencies& hub, Call& call) {
    identity::Parameters form;
    if (auto fields = http::parse_form(call.request)) {
        for (auto& field : *fields)
            form.push_back({std::move(field.name), std::move(field.value)});
    }
    const bool query_used = !call.request.query().empty();
    BERTH_CO_TRY(auto outcome, co_await hub.oauth.exchange(std::move(form), query_used, call.now));
    const auto* refusal = std::get_if<identity::TokenRefusal>(&outcome);
    const auto& body = refusal != nullptr ? refusal->body : std::get<identity::TokenGrant>(outcome).body;
    const unsigned status = refusal != nullptr ? static_cast<unsigned>(refusal->status) : 200;
    auto response = http::Response::json(status, body);
    response.headers.set("Cache-Control", "no-store");
    response.headers.set("Pragma", "no-cache");
    co_return response;
}

}  // namespace berth::api
