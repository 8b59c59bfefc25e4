// Whoever asks, as gate/ found out, with what they may do. A value: made once a request, kept for its
// duration.
#pragma once

#include "access/scopes.hpp"
#include "base/ids.hpp"

#include <memory>
#include <optional>
#include <string>

namespace berth::access {

enum class PrincipalKind { anonymous, user, service, system };
std::string_view name_of(PrincipalKind kind);

struct Principal {
    PrincipalKind kind = PrincipalKind::anonymous;
    std::string name;
    std::optional<UserId> user;
    std::optional<ServiceId> service;
    bool admin = false;
    std::shared_ptr<const ScopeSet> granted;  // expanded effective scopes; shared with the directory's cache
    std::optional<TokenId> token;
    std::string session_id;           // of the browser session, or ""
    bool by_token = false;            // authenticated by a header token, not by a cookie
    std::optional<ServerKey> server;  // when it is a server's own token
    std::string oauth_client;         // client the token was issued to; "" for cookies

    bool authenticated() const { return kind != PrincipalKind::anonymous; }
    const ScopeSet& scopes() const;
    // "user:ann", "service:ops", "system:reaper", "anonymous": for audit records.
    std::string audit_name() const;
    bool is(const UserName& who) const { return kind == PrincipalKind::user && name == who.value; }
};

}  // namespace berth::access
