// The token endpoint (hub-protocol §3.4, §3.5).
#include "base/random.hpp"
#include "identity/oauth/parameters.hpp"
#include "identity/oauth/provider.hpp"

namespace berth::identity {

namespace {

TokenRefusal refuse(OAuthErrc reason, std::string description = {}) {
    TokenRefusal refusal;
    refusal.reason = reason;
    refusal.status = http_status(reason);
    refusal.body["error"] = rfc6749_name(reason);
    if (description.empty()) description = text_of(reason);
    if (!description.empty()) refusal.body["error_description"] = description;
    return refusal;
}

std::optional<TokenRefusal> check_form(const Parameters& form, bool query_used) {
    if (query_used) return refuse(OAuthErrc::query_parameters);
    const auto grant_type = value_of(form, "grant_type");
    if (!grant_type || grant_type->empty()) return refuse(OAuthErrc::missing_grant_type);
    if (*grant_type != "authorization_code") return refuse(OAuthErrc::unsupported_grant_type);
    if (const auto twice = duplicate_among(
            form, {"client_id", "client_secret", "grant_type", "code", "redirect_uri", "code_verifier"}))
        return refuse(OAuthErrc::duplicate_parameter, "Duplicate " + *twice + " parameter.");
    const auto code = value_of(form, "code");
    if (!code || code->empty()) return refuse(OAuthErrc::missing_code);
    return std::nullopt;
}

const store::OAuthClientRow* authenticate_client(const Directory& directory, const Parameters& form) {
    const auto* client = directory.find_client(value_of(form, "client_id").value_or(""));
    const auto secret = value_of(form, "client_secret").value_or("");
    // Longer ones are never hashed (hub-protocol §7.1).
    if (client == nullptr || client->secret_hash.empty() || secret.empty() || secret.size() > 64)
        return nullptr;
    return equal_constant_time(client->secret_hash, sha256_hex(secret)) ? client : nullptr;
}

std::optional<TokenRefusal> check_verifier(const store::OAuthCodeRow& code, const Parameters& form) {
    if (!code.code_challenge) return std::nullopt;
    const auto verifier = value_of(form, "code_verifier");
    if (!verifier) return refuse(OAuthErrc::verifier_required);
    const bool hashed = code.code_challenge_method == "S256";
    const auto answer = hashed ? sha256_base64url(*verifier) : *verifier;
    if (equal_constant_time(answer, *code.code_challenge)) return std::nullopt;
    return refuse(OAuthErrc::wrong_verifier);
}

// The client asked and got it, for the rights of the user who let it.
store::AuditRow audit_of_grant(
    const Directory& directory, const store::OAuthClientRow& client, const store::TokenRow& row) {
    store::AuditRow audit;
    audit.at = row.created;
    audit.principal = audit_target(directory, client);
    if (directory.server_of(client)) audit.principal.insert(0, "server:");
    audit.action = "oauth.token";
    if (const auto* user = row.user ? directory.find(*row.user) : nullptr) audit.target = user->name().value;
    audit.permit = "authorization_code";
    audit.result = "ok";
    audit.detail = joined(row.scopes);
    return audit;
}

}  // namespace

awaitable<Result<TokenOutcome>> OAuthProvider::exchange(Parameters form, bool query_used, Timestamp now) {
    if (auto refusal = check_form(form, query_used)) co_return TokenOutcome(std::move(*refusal));
    const auto* client = authenticate_client(directory_, form);
    if (client == nullptr) co_return TokenOutcome(refuse(OAuthErrc::invalid_client));
    const auto* code = directory_.find_code(*value_of(form, "code"), now);
    if (code == nullptr || code->client_id != client->identifier || directory_.find(code->user) == nullptr)
        co_return TokenOutcome(refuse(OAuthErrc::invalid_grant));
    if (const auto redirect_uri = value_of(form, "redirect_uri");
        redirect_uri && *redirect_uri != code->redirect_uri)
        co_return TokenOutcome(refuse(OAuthErrc::mismatching_redirect_uri));
    if (auto refusal = check_verifier(*code, form)) co_return TokenOutcome(std::move(*refusal));

    const auto token = random_alphanumeric(30);
    store::TokenRow row;
    row.id = directory_.ids().next<TokenId>();
    row.user = code->user;
    row.hashed = sha256_hex(token);
    row.client_id = client->identifier;
    row.session_id = code->session_id;
    row.scopes = code->scopes;
    row.created = now;
    row.expires_at = now + token_life_;
    TokenGrant grant;
    grant.body["access_token"] = token;
    grant.body["token_type"] = "Bearer";
    grant.body["expires_in"] = token_life_.count();
    grant.body["scope"] = joined(row.scopes);

    auto audit = audit_of_grant(directory_, *client, row);
    auto mutation = directory_.prepare_code_use(code->code_hash) + directory_.prepare_token(row);
    const auto written = co_await directory_.commit(with_audit(std::move(mutation), std::move(audit)));
    if (!written) {
        // Somebody was faster with the same code, or signed out meanwhile.
        if (written.error().is(store::StoreErrc::constraint))
            co_return TokenOutcome(refuse(OAuthErrc::invalid_grant));
        co_return written.error();
    }
    co_return TokenOutcome(std::move(grant));
}

}  // namespace berth::identity
