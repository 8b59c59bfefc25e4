// OpenSSL's settings for one end of TLS connections; what tls.cpp makes, tls_stream.cpp and tls_relay.cpp
// use.
#pragma once

#include "net/impl/ticket_keys.hpp"
#include "net/tls.hpp"

#include <boost/asio/ssl.hpp>

#include <map>
#include <string>
#include <vector>

namespace berth::net {

class TlsContext {
public:
    explicit TlsContext(asio::ssl::context::method method) : context(method) {}
    asio::ssl::context context;
    // By the name that a client asks for (RFC 6066 §3), in lower case, "*.example.org" among them.
    std::map<std::string, std::shared_ptr<TlsContext>, std::less<>> by_name;
    std::shared_ptr<TicketKeys> tickets;
};

// Session tickets under the keys of `made`, and no session kept in memory.
void use_tickets(TlsContext& made, std::shared_ptr<TicketKeys> keys);
// From now on a client that names one of made.by_name is shown that one's certificate.
void choose_by_name(TlsContext& made);
// The certificates of a folder: NAME.crt or NAME.pem beside NAME.key, and folders with fullchain.pem and
// privkey.pem, in the order of their names. Errors: certificate_unusable.
Result<std::vector<TlsPair>> pairs_in(const std::string& folder);
// The DNS names of the certificate that `made` shows, in lower case.
std::vector<std::string> names_of(TlsContext& made);

}  // namespace berth::net
