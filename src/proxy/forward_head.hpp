// Writes the heads that go out: never a copy of the head that came in. Hop-by-hop fields and those that
// Connection names are left out both ways (RFC 9110 §7.6.1), lengths are written from the framing that was
// decided, X-Forwarded-* are appended as configurable-http-proxy does (hub-protocol §8.5). Pure; `out` keeps
// its memory between calls.
#pragma once

#include "http/framing.hpp"
#include "proxy/options.hpp"
#include "proxy/target.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::proxy {

enum class IsUpgrade { no, yes };
enum class Transport { plain, tls };  // what the client connected by
enum class KeepAlive { no, yes };

// A request target taken apart: origin-form as it is, absolute-form without scheme and authority.
struct RequestTarget {
    std::string_view authority;  // of absolute-form; else empty
    std::string_view path;       // raw, before '?'; "*" for OPTIONS *
    std::string_view query;      // with its '?', or empty
};
// False when it is neither "*", origin-form nor http absolute-form.
bool split_target(std::string_view target, RequestTarget& parts);

struct RequestForward {
    RequestTarget target;
    std::string_view path;  // what is left of target.path to forward
    std::string_view client_address;
    IsUpgrade upgrade = IsUpgrade::no;
    Transport transport = Transport::plain;
};
void write_request_head(
    std::string& out,
    const http::RequestHead& head,
    const RequestForward& how,
    const Target& to,
    const ProxyOptions& options);

struct ResponseForward {
    KeepAlive keep_alive = KeepAlive::yes;
    bool dechunk = false;  // the client speaks HTTP/1.0: chunked content goes out bare
    IsUpgrade upgrade = IsUpgrade::no;
    const Target* to = nullptr;  // for the rewriting of Location
    std::string_view host;       // the Host that was asked
};
// Also for interim responses (1xx), which get no Connection field.
void write_response_head(
    std::string& out,
    const http::ResponseHead& head,
    const ResponseForward& how,
    const ProxyOptions& options);

// The head of an answer of our own.
void write_own_head(
    std::string& out,
    unsigned status,
    std::string_view content_type,
    std::string_view content_encoding,
    std::size_t length,
    KeepAlive keep_alive);

// True when `value`, a comma-separated list, holds `token`, without regard to case.
bool has_token(std::string_view value, std::string_view token);

}  // namespace berth::proxy
