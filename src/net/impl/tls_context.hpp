// OpenSSL's settings for one end of TLS connections; what tls.cpp makes and tls_relay.cpp uses.
#pragma once

#include "net/tls.hpp"

#include <boost/asio/ssl.hpp>

namespace berth::net {

class TlsContext {
public:
    explicit TlsContext(asio::ssl::context::method method) : context(method) {}
    asio::ssl::context context;
};

}  // namespace berth::net
