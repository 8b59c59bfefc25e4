#include "net/listener.hpp"
#include "net/resolve.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

namespace berth::net {
namespace {

using asio::ip::tcp;
using Addresses = std::vector<asio::generic::stream_protocol::endpoint>;

Error late(const Endpoint& to) {
    return {NetErrc::connect_timeout, to.to_string() + " did not answer in time.", ""};
}

// The timer's handler may run after the coroutine that waits has ended, so both share what it touches.
struct Attempt {
    explicit Attempt(const asio::any_io_executor& executor)
        : socket(executor),
          resolver(executor),
          looked_up(executor, asio::steady_timer::time_point::max()),
          timer(executor) {}

    Socket socket;
    tcp::resolver resolver;
    asio::steady_timer looked_up;  // cancelled when `names` and `lookup_failure` are there, or it is too late
    std::optional<tcp::resolver::results_type> names;
    error_code lookup_failure;
    asio::steady_timer timer;
    bool late = false;
};

void give_up_at(const std::shared_ptr<Attempt>& attempt, Deadline deadline) {
    attempt->timer.expires_at(deadline.time());
    attempt->timer.async_wait([attempt](error_code cancelled) {
        if (cancelled) return;
        attempt->late = true;
        attempt->looked_up.cancel();
        error_code ignored;  // nothing was open
        attempt->socket.close(ignored);
    });
}

// Ends the timer however the coroutine ends.
struct TimerEnd {
    std::shared_ptr<Attempt> attempt;
    ~TimerEnd() { attempt->timer.cancel(); }
};

awaitable<Result<Addresses>> addresses_of(Endpoint to, std::shared_ptr<Attempt> attempt) {
    Addresses found;
    if (to.is_unix()) {
        found.emplace_back(asio::local::stream_protocol::endpoint(to.path));
        co_return found;
    }
    error_code not_numeric;
    const std::string host = to.host.empty() || to.host == "*" ? "127.0.0.1" : to.host;
    const auto numeric = asio::ip::make_address(host, not_numeric);
    if (!not_numeric) {
        found.emplace_back(tcp::endpoint(numeric, to.port));
        co_return found;
    }
    const std::string port = std::to_string(to.port);
    // A look-up cannot be taken back once getaddrinfo runs, so nobody waits for it but its own handler.
    attempt->resolver.async_resolve(
        host, port, [attempt](error_code failure, tcp::resolver::results_type entries) {
            attempt->lookup_failure = failure;
            attempt->names = std::move(entries);
            attempt->looked_up.cancel();
        });
    (void)co_await attempt->looked_up.async_wait(as_tuple);
    if (attempt->late) co_return late(to);
    if (!attempt->names) throw boost::system::system_error(asio::error::operation_aborted);
    if (attempt->lookup_failure) {
        co_return Error{
            NetErrc::unknown_host,
            "The host '" + to.host + "' is unknown.",
            attempt->lookup_failure.message()};
    }
    for (const auto& entry : *attempt->names)
        found.emplace_back(entry.endpoint());
    co_return found;
}

}  // namespace

awaitable<Result<Socket>> connect(Endpoint to, Deadline deadline) {
    const auto attempt = std::make_shared<Attempt>(co_await asio::this_coro::executor);
    if (deadline.passed()) co_return late(to);
    give_up_at(attempt, deadline);
    const TimerEnd timer_end{attempt};
    BERTH_CO_TRY(const auto addresses, co_await addresses_of(to, attempt));
    error_code last;
    for (const auto& address : addresses) {
        error_code ignored;  // of the address before
        attempt->socket.close(ignored);
        auto connected = co_await attempt->socket.async_connect(address, as_tuple);
        auto& [failure] = connected;
        if (attempt->late) co_return late(to);
        if (!failure) {
            attempt->socket.set_option(tcp::no_delay(true), ignored);  // means nothing on a Unix socket
            co_return std::move(attempt->socket);
        }
        if (failure == asio::error::operation_aborted) throw boost::system::system_error(failure);
        last = failure;
    }
    co_return Error{
        NetErrc::connect_refused,
        "Nothing answers at " + to.to_string() + " (" + last.message() + ").",
        last.message()};
}

namespace {

std::string numeric_address(const asio::generic::stream_protocol::endpoint& peer) {
    sockaddr_storage address{};
    std::memcpy(&address, peer.data(), std::min(sizeof address, peer.size()));
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
        return ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size()) != nullptr ? text.data() : "";
    }
    if (address.ss_family != AF_INET6) return {};
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {  // a listener on all interfaces sees IPv4 peers like this
        return ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text.data(), text.size()) != nullptr
                   ? text.data()
                   : "";
    }
    return ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size()) != nullptr ? text.data() : "";
}

}  // namespace

std::string peer_address(const Socket& socket) {
    error_code failure;
    const auto peer = socket.remote_endpoint(failure);
    return failure ? std::string() : numeric_address(peer);
}

std::optional<PeerCredentials> peer_credentials(const Socket& socket) {
    // Asio's native handle is not const-correct; the socket is only asked.
    const int handle = const_cast<Socket&>(socket).native_handle();
    ucred peer{};
    socklen_t size = sizeof peer;
    int family = 0;
    socklen_t family_size = sizeof family;
    if (::getsockopt(handle, SOL_SOCKET, SO_DOMAIN, &family, &family_size) != 0 || family != AF_UNIX ||
        ::getsockopt(handle, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return std::nullopt;
    PeerCredentials credentials;
    credentials.user = peer.uid;
    std::vector<gid_t> groups(64);
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(handle, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0 && errno == ERANGE) {
        groups.resize(size / sizeof(gid_t));
        if (::getsockopt(handle, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) size = 0;
    }
    credentials.groups.assign(
        groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(size / sizeof(gid_t)));
    credentials.groups.push_back(peer.gid);
    return credentials;
}

bool is_from_this_machine(const Socket& socket) {
    error_code failure;
    const auto local = socket.local_endpoint(failure);
    if (failure) return false;
    const auto peer = socket.remote_endpoint(failure);
    if (failure) return false;
    if (local.protocol().family() == AF_UNIX) return true;
    const auto address = numeric_address(peer);
    return address.starts_with("127.") || address == "::1" ||
           (!address.empty() && address == numeric_address(local));
}

awaitable<Result<std::vector<std::string>>> resolve(Endpoint host, Deadline deadline) {
    const auto attempt = std::make_shared<Attempt>(co_await asio::this_coro::executor);
    if (deadline.passed()) co_return late(host);
    give_up_at(attempt, deadline);
    const TimerEnd timer_end{attempt};
    BERTH_CO_TRY(const auto found, co_await addresses_of(host, attempt));
    std::vector<std::string> addresses;
    for (const auto& each : found)
        addresses.push_back(numeric_address(each));
    co_return addresses;
}

}  // namespace berth::net
