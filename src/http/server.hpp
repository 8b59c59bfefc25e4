// Serves requests on the hub's strand: one coroutine a connection, keep-alive, limits and deadlines on every
// wait. The handler sees whole requests; a request over a limit is answered here (400, 408, 413, 431) and
// never reaches it.
#pragma once

#include "async/task_scope.hpp"
#include "http/framing.hpp"
#include "http/message.hpp"
#include "net/address_range.hpp"
#include "net/listener.hpp"
#include "net/tls.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace berth::http {

struct ServerLimits {
    HeadLimits head;
    std::size_t max_body_bytes = 1024 * 1024;
    std::chrono::milliseconds head_timeout{20'000};  // from the first byte of a head to its end
    std::chrono::milliseconds body_timeout{60'000};
    std::chrono::milliseconds idle_timeout{75'000};   // ≥ 20 s between requests (hub-protocol §4.5)
    std::chrono::milliseconds write_timeout{60'000};  // without progress
    std::size_t max_connections = 10'000;
    // Reverse proxies in front of ours: their entries in X-Forwarded-For are not the client.
    std::vector<net::AddressRange> trusted_proxies;
    Headers own_headers;  // on the answers that the server itself makes, e.g. X-JupyterHub-Version
                          // (hub-protocol §8.1)
};

using Handler = std::function<awaitable<Response>(Request)>;

class Server {
public:
    // `name` labels logs. `trusted`: our own proxy connects here, from this machine (Request::from_proxy).
    // An exception from the handler ends as 500 with an error id that is in the log too.
    Server(
        TaskScope& scope,
        net::Listener listener,
        std::string name,
        ServerLimits limits,
        bool trusted,
        Handler handler);

    // Before start(): every connection speaks TLS, and Request::peer_address is not known.
    void require_tls(std::shared_ptr<net::TlsCertificate> certificate);
    void start();  // accepts until the scope stops
    net::Endpoint local() const;
    net::Listener& listener();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace berth::http
