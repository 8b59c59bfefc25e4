// What the listener of --redirect-port answers: the way to https, and with --acme-webroot the tokens by which
// a certificate authority finds out that a name is ours (RFC 8555 §8.3).
#pragma once

#include "async/awaitable.hpp"
#include "http/server.hpp"

#include <cstdint>
#include <string>

namespace berth::proxy {

// `webroot`: what ACME clients write to, as WEBROOT/.well-known/acme-challenge/TOKEN; "" serves none.
awaitable<http::Response> redirect_to_https(http::Request request, std::uint16_t port, std::string webroot);

}  // namespace berth::proxy
