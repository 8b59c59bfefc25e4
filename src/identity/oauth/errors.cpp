// The one table from reasons to RFC 6749's words and statuses.
#include "identity/oauth/provider.hpp"

namespace berth::identity {

std::string_view text_of(OAuthErrc reason) {
    switch (reason) {
        case OAuthErrc::duplicate_parameter:
            return "A parameter was given twice.";
        case OAuthErrc::missing_client_id:
            return "Missing client_id parameter.";
        case OAuthErrc::unknown_client:
            return "Invalid client_id parameter value.";
        case OAuthErrc::malformed_redirect_uri:
            return "The redirect_uri is not absolute.";
        case OAuthErrc::mismatching_redirect_uri:
            return "Mismatching redirect URI.";
        case OAuthErrc::access_denied_to_client:
            return "You do not have permission to access this.";
        case OAuthErrc::client_without_owner:
            return "This client belongs to no server and no service.";
        case OAuthErrc::missing_response_type:
            return "Missing response_type parameter.";
        case OAuthErrc::unsupported_response_type:
            return "Only response_type=code is supported.";
        case OAuthErrc::pkce_method_unsupported:
            return "Transform algorithm not supported.";
        case OAuthErrc::pkce_required:
            return "Code challenge required.";
        case OAuthErrc::invalid_scope:
            return "The requested scopes are not available to this client.";
        case OAuthErrc::query_parameters:
            return "URL query parameters are not allowed";
        case OAuthErrc::missing_grant_type:
            return "Request is missing grant type.";
        case OAuthErrc::unsupported_grant_type:
            return "Only grant_type=authorization_code is supported.";
        case OAuthErrc::missing_code:
            return "Missing code parameter.";
        case OAuthErrc::invalid_client:
            return "The client id or secret is wrong.";
        case OAuthErrc::invalid_grant:
            return "The code is unknown, used or expired.";
        case OAuthErrc::verifier_required:
            return "Code verifier required.";
        case OAuthErrc::wrong_verifier:
            return "";  // without description, as oauthlib answers
    }
    return "unknown";
}

std::string_view rfc6749_name(OAuthErrc reason) {
    switch (reason) {
        case OAuthErrc::unsupported_response_type:
            return "unsupported_response_type";
        case OAuthErrc::invalid_scope:
            return "invalid_scope";
        case OAuthErrc::unsupported_grant_type:
            return "unsupported_grant_type";
        case OAuthErrc::invalid_client:
        case OAuthErrc::unknown_client:
            return "invalid_client";
        case OAuthErrc::invalid_grant:
        case OAuthErrc::wrong_verifier:
            return "invalid_grant";
        case OAuthErrc::access_denied_to_client:
            return "access_denied";
        case OAuthErrc::client_without_owner:
            return "server_error";
        case OAuthErrc::duplicate_parameter:
        case OAuthErrc::missing_client_id:
        case OAuthErrc::malformed_redirect_uri:
        case OAuthErrc::mismatching_redirect_uri:
        case OAuthErrc::missing_response_type:
        case OAuthErrc::pkce_method_unsupported:
        case OAuthErrc::pkce_required:
        case OAuthErrc::query_parameters:
        case OAuthErrc::missing_grant_type:
        case OAuthErrc::missing_code:
        case OAuthErrc::verifier_required:
            return "invalid_request";
    }
    return "server_error";
}

int http_status(OAuthErrc reason) {
    if (reason == OAuthErrc::access_denied_to_client) return 403;
    if (reason == OAuthErrc::client_without_owner) return 500;
    if (reason == OAuthErrc::invalid_client) return 401;
    return 400;
}

}  // namespace berth::identity
