// The authorize request, in the order of hub-protocol §3.2.
#include "base/random.hpp"
#include "base/text.hpp"
#include "identity/oauth/parameters.hpp"
#include "identity/oauth/provider.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

using Scopes = std::vector<std::string>;

FatalError fatal(OAuthErrc reason) {
    return {reason, std::string(text_of(reason))};
}

struct Request {
    const store::OAuthClientRow* client = nullptr;
    std::string redirect_uri;
    std::optional<std::string> state;

    RedirectError refuse(OAuthErrc reason) const {
        Parameters added{{"error", std::string(rfc6749_name(reason))}};
        if (const auto text = text_of(reason); !text.empty())
            added.push_back({"error_description", std::string(text)});
        if (state) added.push_back({"state", *state});
        return {reason, with_query(redirect_uri, added)};
    }
};

// Nothing here may be redirected: until client and redirect URI are known, whereto is the sender's choice.
std::variant<Request, FatalError> identify_client(const Directory& directory, const Parameters& query) {
    if (const auto twice =
            duplicate_among(query, {"client_id", "response_type", "redirect_uri", "scope", "state"}))
        return FatalError{OAuthErrc::duplicate_parameter, "Duplicate " + *twice + " parameter."};
    const auto client_id = value_of(query, "client_id");
    if (!client_id || client_id->empty()) return fatal(OAuthErrc::missing_client_id);
    Request request;
    request.client = directory.find_client(*client_id);
    if (request.client == nullptr || request.client->secret_hash.empty())
        return fatal(OAuthErrc::unknown_client);
    request.redirect_uri = request.client->redirect_uri;
    if (const auto given = value_of(query, "redirect_uri"); given && !given->empty()) {
        const bool absolute =
            given->starts_with("/") || given->starts_with("http://") || given->starts_with("https://");
        if (!absolute) return fatal(OAuthErrc::malformed_redirect_uri);
        if (*given != request.redirect_uri) return fatal(OAuthErrc::mismatching_redirect_uri);
    }
    request.state = value_of(query, "state");
    return request;
}

Scopes words_of(std::string_view text) {
    Scopes words;
    for (const auto word : split(text, ' '))
        if (!word.empty()) words.emplace_back(word);
    return words;
}

// 2.x clients ask for roles by name.
std::optional<Scopes> with_roles_resolved(const Directory& directory, const Scopes& requested) {
    Scopes scopes;
    for (const auto& each : requested) {
        if (each == "identify") continue;
        if (access::is_known(each)) {
            scopes.push_back(each);
        } else if (const auto role = directory.role_scopes(each)) {
            scopes.insert(scopes.end(), role->begin(), role->end());
        } else {
            return std::nullopt;
        }
    }
    return scopes;
}

// What of `requested` the client may have at all (Appendix B.10), expanded; nothing when one is out of its
// reach.
std::optional<access::ScopeSet> allowed_to_client(
    const Directory& directory,
    const Scopes& requested,
    const Scopes& allowed_raw,
    const access::Owner& owner,
    const access::ScopeSet& access_scope) {
    auto may = access::expand(allowed_raw, owner);
    may.merge(access_scope);
    const auto identity = access::identify_scopes(owner);
    const bool anything = std::find(allowed_raw.begin(), allowed_raw.end(), "inherit") != allowed_raw.end();
    access::ScopeSet granted;
    for (const auto& each : requested) {
        const Scopes one{each};
        const auto expanded = access::expand(one, owner);
        const bool listed = std::find(allowed_raw.begin(), allowed_raw.end(), each) != allowed_raw.end();
        if (anything || listed) {
            granted.merge(expanded);
            continue;
        }
        // Identity is for everybody, but nearly every scope implies a bit of it: it alone makes no request
        // allowed.
        const auto overlap = access::intersect(expanded, may, directory);
        if (overlap.empty() && (expanded.empty() || !identity.contains(expanded, directory)))
            return std::nullopt;
        granted.merge(overlap);
    }
    return granted;
}

bool covered_by_earlier_tokens(
    const Directory& directory,
    const User& visitor,
    const std::string& client_id,
    const Scopes& effective,
    Timestamp now) {
    access::ScopeSet earlier;
    for (const auto* token : directory.tokens_of_client(visitor.id(), client_id)) {
        if (token->expired(now)) continue;
        earlier.merge(*directory.scopes_of(*token));
    }
    return !earlier.empty() && earlier.contains(access::ScopeSet::of(effective), directory);
}

}  // namespace

OAuthProvider::OAuthProvider(Directory& directory, const config::AuthenticationOptions& options)
    : directory_(directory),
      token_life_(options.oauth_token_max_age),
      require_pkce_(options.oauth_require_pkce) {}

AuthorizeOutcome OAuthProvider::check(
    const Parameters& query,
    const User& visitor,
    const std::optional<std::vector<std::string>>& consented,
    Timestamp now) const {
    auto identified = identify_client(directory_, query);
    if (const auto* failure = std::get_if<FatalError>(&identified)) return *failure;
    const auto& request = std::get<Request>(identified);
    const auto& client = *request.client;

    const auto response_type = value_of(query, "response_type");
    if (!response_type || response_type->empty()) return request.refuse(OAuthErrc::missing_response_type);
    if (*response_type != "code") return request.refuse(OAuthErrc::unsupported_response_type);
    const auto challenge = value_of(query, "code_challenge");
    std::optional<std::string> method;
    if (challenge) {
        method = value_of(query, "code_challenge_method").value_or("plain");
        if (*method != "S256" && *method != "plain")
            return request.refuse(OAuthErrc::pkce_method_unsupported);
    } else if (require_pkce_) {
        return request.refuse(OAuthErrc::pkce_required);
    }

    const auto server = directory_.server_of(client);
    const auto service = directory_.service_of(client);
    access::Owner owner{visitor.name().value, std::nullopt, server};
    if (service) owner.service = service->value;
    const auto access_scope = access::access_scope_of(server, service);

    Scopes requested = client.allowed_scopes;
    if (consented)
        requested = *consented;
    else if (const auto scope = value_of(query, "scope"); scope && !words_of(*scope).empty())
        requested = words_of(*scope);
    const auto resolved = with_roles_resolved(directory_, requested);
    if (!resolved) return request.refuse(OAuthErrc::invalid_scope);
    auto wanted = allowed_to_client(directory_, *resolved, client.allowed_scopes, owner, access_scope);
    if (!wanted) return request.refuse(OAuthErrc::invalid_scope);

    if (!server && !service) return fatal(OAuthErrc::client_without_owner);
    const auto visitor_scopes = directory_.scopes_of(visitor);
    const bool may_enter =
        server ? visitor_scopes->has("access:servers", access::Target::of(*server), directory_)
               : visitor_scopes->has("access:services", access::Target::of(*service), directory_);
    if (!may_enter)
        return FatalError{
            OAuthErrc::access_denied_to_client, "You do not have permission to access " + client.description};

    Authorization granted;
    granted.client_id = client.identifier;
    granted.client_description = client.description;
    granted.redirect_uri = request.redirect_uri;
    granted.state = request.state.value_or("");
    granted.has_state = request.state.has_value();
    granted.code_challenge = challenge;
    granted.code_challenge_method = method;
    if (std::find(resolved->begin(), resolved->end(), "inherit") != resolved->end()) {
        granted.scopes = {"inherit"};
    } else {
        auto reach = *visitor_scopes;
        reach.merge(access_scope);
        reach.merge(access::identify_scopes(owner));
        wanted->merge(access_scope);
        wanted->merge(access::identify_scopes({visitor.name().value, std::nullopt, std::nullopt}));
        granted.scopes = access::intersect(*wanted, reach, directory_).strings();
    }
    const bool own_server = server && server->user == visitor.name();
    granted.needs_confirmation =
        !own_server && !client.no_consent &&
        !covered_by_earlier_tokens(directory_, visitor, client.identifier, granted.scopes, now);
    return granted;
}

awaitable<Result<std::string>> OAuthProvider::issue_code(
    Authorization authorization, UserId visitor, std::string session_id, Timestamp now, Audit audit) {
    const auto code = random_alphanumeric(30);
    store::OAuthCodeRow row;
    row.code_hash = sha256_hex(code);
    row.client_id = authorization.client_id;
    row.user = visitor;
    row.session_id = std::move(session_id);
    row.redirect_uri = authorization.redirect_uri;
    row.scopes = authorization.scopes;
    row.expires_at = now + std::chrono::seconds(300);
    row.code_challenge = authorization.code_challenge;
    row.code_challenge_method = authorization.code_challenge_method;
    if (audit) {
        const auto* client = directory_.find_client(row.client_id);
        audit->target = client == nullptr ? row.client_id : audit_target(directory_, *client);
        audit->detail = joined(row.scopes);
    }
    auto mutation = with_audit(directory_.prepare_code(row), std::move(audit));
    BERTH_CO_CHECK(co_await directory_.commit(std::move(mutation)));
    Parameters added{{"code", code}};
    if (authorization.has_state) added.push_back({"state", authorization.state});
    co_return with_query(authorization.redirect_uri, added);
}

}  // namespace berth::identity
