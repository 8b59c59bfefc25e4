#include "gate/local_peer.hpp"

#include <algorithm>

namespace berth::gate {

access::Principal principal_of(const net::PeerCredentials& peer, const LocalAdministrators& allowed) {
    const bool in_group =
        allowed.group &&
        std::find(peer.groups.begin(), peer.groups.end(), *allowed.group) != peer.groups.end();
    access::Principal principal;
    if (peer.user != 0 && peer.user != allowed.own_user && !in_group) return principal;
    static const auto scopes = std::make_shared<const access::ScopeSet>(
        access::expand(access::default_role_scopes("admin").value(), access::Owner{}));
    principal.kind = access::PrincipalKind::system;
    principal.name = "admin-socket/uid=" + std::to_string(peer.user);
    principal.admin = true;
    principal.granted = scopes;
    principal.by_token = true;  // no browser, so no other site can make it send anything
    return principal;
}

}  // namespace berth::gate
