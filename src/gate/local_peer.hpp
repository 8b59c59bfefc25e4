// Whoever connects to the hub's administration socket: the kernel says which account of this machine it is,
// so there is no token to lose. Pure.
#pragma once

#include "access/principal.hpp"
#include "net/peer.hpp"

#include <cstdint>
#include <optional>

namespace berth::gate {

// Root and the hub's own account are administrators; so is every member of `group` where one is configured.
struct LocalAdministrators {
    std::uint32_t own_user = 0;
    std::optional<std::uint32_t> group;
};

// Anonymous when it is none of them. Its audit name tells the account: "system:admin-socket/uid=1000".
access::Principal principal_of(const net::PeerCredentials& peer, const LocalAdministrators& allowed);

}  // namespace berth::gate
