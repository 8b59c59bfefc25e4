// Where a process listens and what it connects to: TCP or a Unix socket behind one type. Everything here
// lives on the executor it was made with, which must serialise. Addresses of configuration files are parsed
// here, so that every option refuses a malformed one with the same words.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "base/result.hpp"
#include "net/peer.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace berth::net {

enum class NetErrc {
    address_in_use = 1,
    address_unusable,
    connect_refused,
    connect_timeout,
    unknown_host,
    malformed_address
};
std::string_view text_of(NetErrc reason);
BERTH_ERROR_CATEGORY(NetErrc, "net")

using Socket = asio::generic::stream_protocol::socket;

// "127.0.0.1:8000", "[::1]:8000", "*:8000" (all interfaces), "unix:/run/x.sock".
struct Endpoint {
    std::string host;        // empty for a Unix socket; "" or "*" with a port: all interfaces
    std::uint16_t port = 0;  // 0: any free port
    std::string path;        // Unix socket

    bool is_unix() const { return !path.empty(); }
    std::string to_string() const;
};
Result<Endpoint> parse_endpoint(std::string_view text);
// "http[s]://host[:port][/path]" -> endpoint, scheme and path.
struct HttpUrl {
    Endpoint endpoint;
    std::string scheme;
    std::string path;  // with leading '/', "/" when absent
};
Result<HttpUrl> parse_http_url(std::string_view url);

enum class ReusePort { no, yes };

// A listening socket on its way to another process.
struct PassedSocket {
    std::string address;  // Endpoint::to_string()
    int descriptor = -1;
};

// A bound, listening socket. Movable; closing it removes a Unix socket's file.
class Listener {
public:
    // Errors: address_in_use (message says what to do), address_unusable.
    static Result<Listener> open(
        const asio::any_io_executor& executor, const Endpoint& at, ReusePort reuse = ReusePort::no);
    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    awaitable<Result<Socket>> accept();  // waits; "too many open files" is waited out, not returned
    Endpoint local() const;              // with the port that was given
    void close();

    // For another process that shall accept beside us (net/inherited.hpp): a copy of the socket, which the
    // caller closes; -1 when there is no descriptor left.
    PassedSocket share() const;
    void disown();  // closing no longer removes a Unix socket's file: it is another process's now

private:
    using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
    Listener(Acceptor acceptor, Endpoint at);
    void note_shortage(const error_code& failure);

    Acceptor acceptor_;
    Endpoint at_;
    std::uint64_t inode_;  // of the Unix socket's file, 0: not ours to remove
    std::chrono::steady_clock::time_point quiet_until_{};
};

// Connects, TCP_NODELAY on. Errors: connect_refused, connect_timeout, unknown_host.
awaitable<Result<Socket>> connect(Endpoint to, Deadline deadline);
std::string peer_address(const Socket& socket);  // numeric address; "" for a Unix socket
// The peer is a process on this machine: loopback, the address it connected to, or a Unix socket. A container
// on a bridge is not: it comes with its own address.
bool is_from_this_machine(const Socket& socket);
// SO_PEERCRED and SO_PEERGROUPS; nothing for a TCP socket.
std::optional<PeerCredentials> peer_credentials(const Socket& socket);

}  // namespace berth::net
