// The OAuth 2 provider of the hub, without HTTP (RFC 6749 §4.1, RFC 7636, hub-protocol §3): what an authorize
// request asks for, whether the person must be asked, the code, and its exchange for a token. The pages that
// carry it are api/'s. Hub strand; owned by app/.
#pragma once

#include "access/permit.hpp"
#include "access/scopes.hpp"
#include "identity/directory.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace berth::identity {

enum class OAuthErrc {
    // authorize, never redirected: 400 page
    duplicate_parameter = 1,
    missing_client_id,
    unknown_client,
    malformed_redirect_uri,
    mismatching_redirect_uri,
    // authorize: 403 page, and 500
    access_denied_to_client,
    client_without_owner,
    // authorize, redirected with error=…
    missing_response_type,
    unsupported_response_type,
    pkce_method_unsupported,
    pkce_required,
    invalid_scope,
    // token endpoint
    query_parameters,  // parameters in the URL
    missing_grant_type,
    unsupported_grant_type,
    missing_code,
    invalid_client,
    invalid_grant,
    verifier_required,
    wrong_verifier,
};
std::string_view text_of(OAuthErrc reason);
BERTH_ERROR_CATEGORY(OAuthErrc, "oauth")
std::string_view rfc6749_name(OAuthErrc reason);  // "invalid_request", …
int http_status(OAuthErrc reason);                // of the page or the JSON answer

// One form or query field, in the order they came (duplicates matter).
struct Parameter {
    std::string name;
    std::string value;
};
using Parameters = std::vector<Parameter>;

// A validated request; carried from the check to the code.
struct Authorization {
    std::string client_id;
    std::string client_description;
    std::string redirect_uri;  // the registered one
    std::string state;
    bool has_state = false;
    std::optional<std::string> code_challenge;
    std::optional<std::string> code_challenge_method;
    std::vector<std::string>
        scopes;  // effective, expanded, sorted: what the consent page lists and the token gets
    bool needs_confirmation = true;
};
// Shown as a page, not redirected: the client or its redirect URI cannot be trusted.
struct FatalError {
    OAuthErrc reason{};
    std::string message;
};
// Sent back to the client's redirect URI.
struct RedirectError {
    OAuthErrc reason{};
    std::string location;  // complete, with error, error_description and state
};
using AuthorizeOutcome = std::variant<Authorization, RedirectError, FatalError>;

struct TokenRefusal {
    OAuthErrc reason{};
    int status = 400;
    json::object body;  // {"error", "error_description"}
};
struct TokenGrant {
    json::object body;  // access_token, token_type, expires_in, scope
};
using TokenOutcome = std::variant<TokenGrant, TokenRefusal>;

class OAuthProvider {
public:
    OAuthProvider(Directory& directory, const config::AuthenticationOptions& options);

    // `consented`: the scopes posted by the consent page, instead of parameter `scope`; none on GET.
    AuthorizeOutcome check(
        const Parameters& query,
        const User& visitor,
        const std::optional<std::vector<std::string>>& consented,
        Timestamp now = now_utc()) const;
    // Stores a code for 300 s; the answer is the Location to send the browser to. The record's target and
    // detail are filled in: for whom, and the scopes.
    awaitable<Result<std::string>> issue_code(
        Authorization authorization, UserId visitor, std::string session_id, Timestamp now, Audit audit);
    // `query_used`: the request's URL had a query. The code is used up by success only. A grant has its audit
    // record, by the client for the user; a refusal has none, for strangers can ask.
    awaitable<Result<TokenOutcome>> exchange(Parameters form, bool query_used, Timestamp now);

private:
    Directory& directory_;
    std::chrono::seconds token_life_;
    bool require_pkce_;
};

}  // namespace berth::identity
