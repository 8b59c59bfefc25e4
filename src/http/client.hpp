// Asks other HTTP servers: the Docker Engine over its socket, the proxy's API, a single-user server's
// readiness. Keeps idle connections for reuse; a request that failed on a reused connection before any byte
// of an answer is sent once more on a fresh one (safe methods only).
#pragma once

#include "async/deadline.hpp"
#include "http/message.hpp"
#include "net/listener.hpp"

#include <functional>
#include <memory>

namespace berth::http {

enum class ClientErrc { unreachable = 1, timeout, malformed_response, body_too_large, closed_early };
std::string_view text_of(ClientErrc reason);
BERTH_ERROR_CATEGORY(ClientErrc, "http_client")

struct ClientRequest {
    Method method = Method::get;
    std::string target;
    Headers headers;  // Host, Content-Length and Connection are the client's
    std::string body;
};

struct ClientResponse {
    unsigned status = 0;
    Headers headers;
    std::string body;
};

// A response whose body is read as it comes (docker events, pull progress).
class ClientStream {
public:
    virtual ~ClientStream() = default;
    virtual unsigned status() const = 0;
    virtual const Headers& headers() const = 0;
    // The next piece; "" at the end. Errors: timeout, closed_early, malformed_response.
    virtual awaitable<Result<std::string>> read(Deadline deadline) = 0;
};

// Makes a connection in another way than plain net::connect(); errors as there.
using Connector = std::function<awaitable<Result<net::Socket>>(Deadline)>;

// One strand only. Must outlive its streams.
class Client {
public:
    explicit Client(
        net::Endpoint to, std::size_t max_body_bytes = 64 * 1024 * 1024, std::size_t max_idle = 8);
    // `to` is what Host says; connections come from `connector`.
    Client(net::Endpoint to, Connector connector, std::size_t max_body_bytes);
    ~Client();
    Client(const Client&) = delete;

    const net::Endpoint& endpoint() const;
    // Errors: unreachable, timeout, malformed_response, body_too_large, closed_early. Any status is a success
    // here.
    awaitable<Result<ClientResponse>> send(ClientRequest request, Deadline deadline);
    // Returns when the head is there; `deadline` covers only that.
    awaitable<Result<std::unique_ptr<ClientStream>>> open(ClientRequest request, Deadline deadline);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace berth::http
