// API tokens (hub-protocol §7).
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "base/text.hpp"

#include <charconv>

namespace berth::api {
namespace {

constexpr std::string_view kTokenKeys[] = {"expires_in", "note", "roles", "scopes", "auth"};

// The user's own token of that id; ids of others look like ids of nobody.
Result<const identity::Token*> find_token(const Dependencies& hub, const Call& call) {
    const auto* user = hub.directory.find(call.user());
    const std::string& id = call.arguments.at(1);
    std::int64_t number = 0;
    const auto [end, error] =
        std::from_chars(id.data() + (id.empty() ? 0 : 1), id.data() + id.size(), number);
    const bool well_formed = id.starts_with('a') && error == std::errc{} && end == id.data() + id.size();
    const auto* token = well_formed ? hub.directory.find(static_cast<TokenId>(number)) : nullptr;
    if (user == nullptr || token == nullptr || token->row.user != user->id() || token->expired(call.now)) {
        return not_found("No such token");
    }
    return token;
}

Result<std::vector<std::string>> scopes_of_request(const Dependencies& hub, const json::object& body) {
    BERTH_TRY(const auto roles, texts_member(body, "roles"));
    BERTH_TRY(auto scopes, texts_member(body, "scopes"));
    if (roles && !roles->empty() && scopes && !scopes->empty()) {
        return bad_request("Can only specify one of roles and scopes");
    }
    if (scopes) return std::move(*scopes);  // none at all is a token that may nothing
    if (!roles) return std::vector<std::string>{"inherit"};
    std::vector<std::string> expanded;
    for (const auto& role : *roles) {
        const auto of_role = hub.directory.role_scopes(role);
        if (!of_role) return bad_request("No such role: " + ellipsized(role, 64));
        expanded.insert(expanded.end(), of_role->begin(), of_role->end());
    }
    return expanded;
}

// None: it never expires. What asks for no end gets the longest that is allowed (§7.2).
Result<std::optional<std::chrono::seconds>> life_of_token(
    std::chrono::seconds longest, std::optional<std::int64_t> expires_in) {
    using Life = std::optional<std::chrono::seconds>;
    if (!expires_in) return longest.count() == 0 ? Life{} : Life{longest};
    if (*expires_in < 1 || *expires_in > 100LL * 365 * 86400) {
        return bad_request(
            "token expires_in must be at least 1 second and at most 100 years, or null for never");
    }
    if (longest.count() != 0 && *expires_in > longest.count()) {
        return bad_request(
            "token expires_in must be at most " + std::to_string(longest.count()) +
            " seconds; the administrator has set authentication.token_max_age");
    }
    return Life{std::chrono::seconds(*expires_in)};
}

Result<identity::NewToken> new_token(
    const Dependencies& hub,
    const json::object& body,
    const identity::User& owner,
    const std::string& by,
    Timestamp now) {
    BERTH_TRY(const auto note, text_member(body, "note"));
    BERTH_TRY(const auto expires_in, integer_member(body, "expires_in"));
    BERTH_TRY(const auto life, life_of_token(hub.options.authentication.token_max_age, expires_in));
    identity::NewToken token;
    token.user = owner.id();
    BERTH_TRY(token.scopes, scopes_of_request(hub, body));
    token.note = note && !note->empty() ? ellipsized(*note, 1024) : "Requested via api" + by;
    if (life) token.expires_at = now + *life;
    return token;
}

struct Requester {
    UserName owner;
    std::string by;  // " by user x"
};

// Who may: somebody with `tokens` for that user, or whoever knows the user's password (§7.2).
awaitable<Result<Requester>> authorize_request(Dependencies& hub, Call& call, const json::object& body) {
    const auto* auth = body.if_contains("auth");
    if (auth != nullptr && !auth->is_null()) {
        const auto* object = auth->if_object();
        if (object == nullptr) co_return bad_request("'auth' must be an object");
        identity::Credentials credentials;
        credentials.username = string_at(*object, "username").value_or("");
        credentials.password = Secret(string_at(*object, "password").value_or(""));
        credentials.client_address = call.request.client_address();
        auto signed_in =
            co_await hub.sign_in.sign_in(std::move(credentials), Deadline::in(std::chrono::seconds(20)));
        if (!signed_in) co_return signed_in.error();
        const auto* user = hub.directory.find(*signed_in);
        if (user == nullptr || user->name() != call.user()) co_return Error{ApiErrc::forbidden, {}};
        Requester requester;
        requester.owner = user->name();
        co_return requester;
    }
    BERTH_CO_CHECK(hub.gate.check_xsrf(call.request, call.visit));
    const access::AccessCheck access(hub.directory);
    // 403 also where the right is held for somebody else only (§7.2).
    if (const auto may = access.check(call.who(), {"tokens"}, access::Target::of(call.user())); !may)
        co_return may.error().is(access::AccessErrc::hidden) ? Error{ApiErrc::forbidden, {}} : may.error();
    // Whoever may make tokens for nobody in particular must not learn who exists (§7.2).
    const auto* owner = hub.directory.find(call.user());
    if (owner == nullptr) co_return Error{ApiErrc::forbidden, {}};
    // Such a token would be a way to become one (CVE-2024-41942, GHSA-69wv-m5fw-2fhp).
    if (owner->row.admin && !call.who().admin && !call.who().is(call.user()))
        co_return Error{ApiErrc::forbidden, "Only administrators may make tokens of an administrator."};
    Requester requester;
    requester.owner = call.user();
    if (!call.who().is(call.user())) {
        requester.by =
            std::string(" by ") + std::string(access::name_of(call.who().kind)) + " " + call.who().name;
    }
    co_return requester;
}

}  // namespace

awaitable<Result<http::Response>> get_tokens(Dependencies& hub, Call& call) {
    const auto* user = hub.directory.find(call.user());
    if (user == nullptr) co_return not_found("No such user: " + call.user().value);
    json::array tokens;
    for (const auto* token : hub.directory.tokens_of(user->id())) {
        if (!token->expired(call.now)) tokens.emplace_back(token_model(hub, *token));
    }
    co_return http::Response::json(200, json::object{{"api_tokens", std::move(tokens)}});
}

awaitable<Result<http::Response>> post_token(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_TRY(const auto requester, co_await authorize_request(hub, call, body));
    BERTH_CO_CHECK(only_keys(body, kTokenKeys));
    const auto* owner = hub.directory.find(requester.owner);
    if (owner == nullptr) co_return not_found();
    BERTH_CO_TRY(auto wanted, new_token(hub, body, *owner, requester.by, call.now));
    auto audit = audit_of(call, "token.create", owner->name().value, wanted.note);
    if (audit.principal == "anonymous") audit.principal = "user:" + owner->name().value;  // by password
    BERTH_CO_TRY(
        const auto issued,
        co_await hub.directory.create_token(std::move(wanted), call.now, std::move(audit)));
    const auto* token = hub.directory.find(issued.id);
    if (token == nullptr) co_return not_found();
    auto model = token_model(hub, *token);
    model["token"] = issued.token.reveal();
    co_return http::Response::json(201, model);
}

awaitable<Result<http::Response>> get_token(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* token, find_token(hub, call));
    co_return http::Response::json(200, token_model(hub, *token));
}

awaitable<Result<http::Response>> delete_token(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* token, find_token(hub, call));
    BERTH_CO_CHECK(co_await hub.directory.revoke_token(
        token->row.id, audit_of(call, "token.revoke", call.user().value, token->api_id())));
    co_return http::Response::empty(204);
}

}  // namespace berth::api
