// One POST to a server outside, http or https, with a fresh connection and a deadline for all of it.
// Certificates are checked against the system's authorities; nothing is followed anywhere else. Hub strand
// only.
#pragma once

#include "async/task_scope.hpp"
#include "http/client.hpp"
#include "net/tls.hpp"

#include <string>

namespace berth::hub {

// Whom a POST may go to. What strangers name must not be a way into our own networks: `outside` takes https
// alone, and of a host's addresses only public ones, to which the connection is then made.
enum class Reach { anywhere, outside };

struct Post {
    std::string url;
    http::Headers headers;
    std::string body;
    Reach reach = Reach::anywhere;
};

class Outbound {
public:
    explicit Outbound(TaskScope& scope) : scope_(scope), tls_(net::TlsClientFiles{}) {}

    // The answer's status. Errors: those of http::Client, net::NetErrc for a URL or a host that cannot be
    // used.
    awaitable<Result<unsigned>> send(Post post, Deadline deadline);

private:
    TaskScope& scope_;  // of the relays that speak TLS
    net::TlsClient tls_;
};

}  // namespace berth::hub
