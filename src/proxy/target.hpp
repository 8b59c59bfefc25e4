// The URL behind a route, taken apart once when the route is made: where to connect and what goes before the
// path. Pure. hub-protocol §14.8.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::proxy {

enum class TargetErrc { malformed = 1, scheme_not_supported };
std::string_view text_of(TargetErrc reason);
BERTH_ERROR_CATEGORY(TargetErrc, "proxy_target")

struct Target {
    std::string origin;  // "10.0.3.7:8888" or "unix:/run/x.sock"
    std::string pool;    // what connections are pooled by: the origin, and whether it speaks TLS
    std::string host;    // name or address without brackets; empty for a Unix socket
    std::uint16_t port = 0;
    bool tls = false;         // https
    std::string socket_path;  // not empty: a Unix socket
    std::string host_field;   // what Host says with --change-origin; the port left out when it is 80
    std::string path;         // the target's own path without a slash at its end; "" for the root
    std::string query;        // the target's own query without '?'

    bool is_unix() const { return !socket_path.empty(); }
};

// http[s]://host[:port][/path][?query], http+unix://{percent-encoded path}[/path], unix+http://...
// Errors: malformed, scheme_not_supported.
Result<Target> parse_target(std::string_view url);

}  // namespace berth::proxy
