// Who is at the other end of a Unix socket, as the kernel noted it when they connected: nothing they can say
// about themselves changes it.
#pragma once

#include <cstdint>
#include <vector>

namespace berth::net {

struct PeerCredentials {
    std::uint32_t user = 0;
    std::vector<std::uint32_t> groups;  // the primary one and the others
};

}  // namespace berth::net
