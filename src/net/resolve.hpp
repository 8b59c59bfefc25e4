// Names to addresses, for whoever must look at an address before a connection is made to it.
#pragma once

#include "net/listener.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::net {

// The numeric addresses of a host, in the order in which they are to be tried. Errors: unknown_host,
// connect_timeout.
awaitable<Result<std::vector<std::string>>> resolve(Endpoint host, Deadline deadline);

// A numeric address that belongs to one place on the Internet: neither this machine's, nor a private
// network's, nor many receivers' (RFC 6890), also where it is written inside an IPv6 address.
bool is_public_address(std::string_view address);

}  // namespace berth::net
