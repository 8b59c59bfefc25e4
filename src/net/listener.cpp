#include "net/listener.hpp"

#include "net/inherited.hpp"
#include "net/metrics.hpp"
#include "obs/log.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::net {
namespace {

using asio::generic::stream_protocol;
using asio::ip::tcp;
using UnixSocket = asio::local::stream_protocol;

constexpr std::chrono::milliseconds kFullPause{100};
constexpr std::chrono::seconds kQuiet{10};  // between two lines of the log about it
constexpr int kFirstPassed = 64;            // above where a successor is given its sockets

Error unusable(const Endpoint& at, const error_code& reason) {
    if (reason == asio::error::address_in_use) {
        return {
            NetErrc::address_in_use,
            at.to_string() + " is already in use. Stop the program that listens there, or choose another " +
                (at.is_unix() ? "path." : "port."),
            reason.message()};
    }
    return {
        NetErrc::address_unusable,
        "Cannot listen on " + at.to_string() + ": " + reason.message() + ". Choose another address.",
        reason.message()};
}

// A socket file on which nobody answers was left by a process that was killed.
bool is_stale(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    asio::io_context io;
    UnixSocket::socket probe(io);
    error_code failure;
    probe.open(UnixSocket(), failure);
    if (failure) return false;
    probe.non_blocking(true, failure);  // a live listener with a full backlog would make connect() wait
    probe.connect(UnixSocket::endpoint(path), failure);
    return failure == asio::error::connection_refused;
}

// What bind() needs, for either family. (The bool is first because Asio's protocol can be made from anything,
// an Error too, and an aggregate in parentheses with it.)
struct Place {
    bool both_families = false;
    stream_protocol protocol{AF_INET, IPPROTO_TCP};
    stream_protocol::endpoint endpoint;
};

Result<Place> tcp_place(const Endpoint& at) {
    if (at.host.empty() || at.host == "*") {
        const tcp::endpoint any(tcp::v6(), at.port);
        return Place{true, {AF_INET6, IPPROTO_TCP}, any};
    }
    asio::io_context io;
    tcp::resolver resolver(io);
    error_code failure;
    const auto found = resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, failure);
    if (failure || found.empty()) {
        return Error{
            NetErrc::address_unusable,
            "Cannot listen on " + at.to_string() + ": the host '" + at.host +
                "' is unknown. Use a numeric address or *.",
            failure.message()};
    }
    const tcp::endpoint first = *found.begin();
    return Place{false, {first.protocol().family(), IPPROTO_TCP}, first};
}

template <class Acceptor>
error_code bind_and_listen(Acceptor& acceptor, const Place& place, ReusePort reuse) {
    error_code failure;
    acceptor.open(place.protocol, failure);
    if (failure) return failure;
    if (place.protocol.family() != AF_UNIX) {
        acceptor.set_option(asio::socket_base::reuse_address(true), failure);
        if (place.both_families) acceptor.set_option(asio::ip::v6_only(false), failure);
        const int on = 1;
        if (reuse == ReusePort::yes &&
            ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
            return {errno, boost::system::system_category()};
        }
    }
    acceptor.bind(place.endpoint, failure);
    if (!failure) acceptor.listen(asio::socket_base::max_listen_connections, failure);
    if (failure) {
        error_code ignored;  // the first failure is the one to report
        acceptor.close(ignored);
    }
    return failure;
}

std::uint16_t port_of(const stream_protocol::endpoint& endpoint) {
    sockaddr_storage address{};
    std::copy_n(
        reinterpret_cast<const char*>(endpoint.data()), endpoint.size(), reinterpret_cast<char*>(&address));
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
    return 0;
}

std::uint64_t inode_of(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

bool is_shortage(const error_code& failure) {
    using namespace boost::system::errc;
    return failure == too_many_files_open || failure == too_many_files_open_in_system ||
           failure == no_buffer_space || failure == not_enough_memory;
}

// The peer gave up, or its network did, before we took the connection (accept(2)); the listener is well.
bool is_lost_peer(const error_code& failure) {
    using namespace boost::system::errc;
    return failure == connection_aborted || failure == protocol_error || failure == host_unreachable ||
           failure == network_unreachable || failure == network_down || failure == connection_reset ||
           failure == timed_out || failure == operation_not_permitted || failure == interrupted;
}

}  // namespace

Result<Listener> Listener::open(const asio::any_io_executor& executor, const Endpoint& at, ReusePort reuse) {
    Place place;
    if (at.is_unix()) {
        place = {false, {AF_UNIX, 0}, UnixSocket::endpoint(at.path)};
    } else {
        BERTH_TRY(auto found, tcp_place(at));
        place = found;
    }
    Acceptor acceptor(executor);
    if (const int inherited = take_inherited(at); inherited >= 0) {
        error_code refused;
        acceptor.assign(place.protocol, inherited, refused);
        if (!refused) return Listener(std::move(acceptor), at);
        ::close(inherited);
    }
    auto failure = bind_and_listen(acceptor, place, reuse);
    if (failure == asio::error::address_in_use && at.is_unix() && is_stale(at.path)) {
        ::unlink(at.path.c_str());
        failure = bind_and_listen(acceptor, place, reuse);
    }
    if (failure && failure != asio::error::address_in_use &&
        place.both_families) {  // no IPv6 on this machine
        place = {false, {AF_INET, IPPROTO_TCP}, tcp::endpoint(tcp::v4(), at.port)};
        failure = bind_and_listen(acceptor, place, reuse);
    }
    if (failure) return unusable(at, failure);
    Endpoint local = at;
    if (!at.is_unix()) local.port = port_of(acceptor.local_endpoint());
    return Listener(std::move(acceptor), std::move(local));
}

Listener::Listener(Acceptor acceptor, Endpoint at)
    : acceptor_(std::move(acceptor)), at_(std::move(at)), inode_(at_.is_unix() ? inode_of(at_.path) : 0) {
    declare_metrics();
}

Listener::~Listener() {
    close();
}

void Listener::close() {
    if (!acceptor_.is_open()) return;
    // Only the file that is ours: a successor may have put its own there.
    if (at_.is_unix() && inode_of(at_.path) == inode_) ::unlink(at_.path.c_str());
    if (!at_.is_unix()) leave_for_successor(at_, acceptor_.native_handle());
    error_code ignored;  // the descriptor is gone whatever close() says
    acceptor_.close(ignored);
}

Endpoint Listener::local() const {
    return at_;
}

PassedSocket Listener::share() const {
    // Asio keeps native_handle() to changing objects; the call changes nothing.
    const int socket = const_cast<Acceptor&>(acceptor_).native_handle();
    return {at_.to_string(), ::fcntl(socket, F_DUPFD_CLOEXEC, kFirstPassed)};
}

void Listener::disown() {
    inode_ = 0;
}

// A shortage may last for hours, ten pauses a second: all are counted, few are told.
void Listener::note_shortage(const error_code& failure) {
    count_accept_pause();
    const auto now = std::chrono::steady_clock::now();
    if (now < quiet_until_) return;
    quiet_until_ = now + kQuiet;
    log::warn("connection.accept_postponed", {{"address", at_.to_string()}, {"reason", failure.message()}});
}

awaitable<Result<Socket>> Listener::accept() {
    for (;;) {
        auto accepted = co_await acceptor_.async_accept(as_tuple);
        auto& [failure, socket] = accepted;
        if (!failure) {
            if (!at_.is_unix()) {
                error_code ignored;  // slower without, not wrong
                socket.set_option(tcp::no_delay(true), ignored);
            }
            co_return std::move(socket);
        }
        if (failure == asio::error::operation_aborted) throw boost::system::system_error(failure);
        if (is_shortage(failure)) {
            note_shortage(failure);
            asio::steady_timer pause(acceptor_.get_executor(), kFullPause);
            co_await pause.async_wait(asio::use_awaitable);
        } else if (!is_lost_peer(failure)) {
            co_return unusable(at_, failure);
        }
    }
}

}  // namespace berth::net
