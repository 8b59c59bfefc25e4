#include "proxy/upstream.hpp"

#include "proxy/metrics.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::proxy {
namespace {

constexpr std::size_t kSmallBuffer = 16 * 1024;
constexpr std::size_t kLargeBuffer = 64 * 1024;

using Endpoint = asio::generic::stream_protocol::endpoint;

}  // namespace

Upstream::Upstream(Poll& poll, UpstreamPool& pool, std::string target_name)
    : in(kSmallBuffer), name(std::move(target_name)), pool_(pool), poll_(poll), socket_(poll, *this) {
    count_open(Side::target, 1);
}

Upstream::~Upstream() {
    count_open(Side::target, -1);
}

void Upstream::connect(const Target& target) {
    if (target.is_unix()) {
        // A path too long for a socket address would throw.
        if (target.socket_path.size() >= sizeof(sockaddr_un::sun_path))
            return tell_connected(asio::error::invalid_argument);
        return connect_to({Endpoint(asio::local::stream_protocol::endpoint(target.socket_path))});
    }
    if (target.tls) tls_host_ = target.host;
    error_code failure;
    const auto address = asio::ip::make_address(target.host, failure);
    if (!failure) return connect_to({Endpoint(asio::ip::tcp::endpoint(address, target.port))});

    resolver_ = std::make_unique<Resolver>(poll_.executor());
    resolver_->async_resolve(
        target.host,
        std::to_string(target.port),
        Resolver::numeric_service,
        [self = UpstreamPtr(this)](error_code why, const Resolver::results_type& found) {
            if (why || !self->user) return self->tell_connected(why);
            Endpoints all;
            for (const auto& each : found)
                all.emplace_back(each.endpoint());
            self->connect_to(std::move(all));
        });
}

void Upstream::connect_to(Endpoints all) {
    untried_ = std::move(all);
    std::reverse(untried_.begin(), untried_.end());
    connect_to_next();
}

void Upstream::connect_to_next() {
    error_code failure = asio::error::host_unreachable;
    while (!untried_.empty()) {
        const auto to = untried_.back();
        untried_.pop_back();
        failure = begin_to_connect(to);
        connecting_ = !failure;
        if (connecting_) return;
    }
    tell_connected(failure);
}

// Registered only when under way: a socket that is not connected at all counts as hung up (epoll(7)).
error_code Upstream::begin_to_connect(const Endpoint& to) {
    const auto protocol = to.protocol();
    const int socket =
        ::socket(protocol.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol.protocol());
    if (socket < 0) return last_error();
    if (::connect(socket, to.data(), static_cast<socklen_t>(to.size())) != 0 && errno != EINPROGRESS) {
        const auto failure = last_error();
        ::close(socket);
        return failure;
    }
    const auto failure = socket_.open(socket);
    if (!failure) socket_.wait_writable();
    return failure;
}

void Upstream::on_connected(error_code failure) {
    connecting_ = false;
    if (failure) {
        socket_.close();
        if (!untried_.empty()) return connect_to_next();
        return tell_connected(failure);
    }
    set_no_delay(native());
    tls_host_.empty() ? tell_connected({}) : secure();
}

// What is read and written from now on is the plain end.
void Upstream::secure() {
    pool_.secure(socket_.release(), tls_host_, [self = UpstreamPtr(this)](error_code why, int plain) {
        if (why) return self->tell_connected(why);
        if (self->user)
            why = self->socket_.open(plain);
        else
            ::close(plain);
        self->tell_connected(why);
    });
}

void Upstream::tell_connected(error_code failure) {
    if (user) user->on_upstream_connected(failure);
}

void Upstream::on_writable() {
    const UpstreamPtr guard(this);
    if (!connecting_) {
        if (user) user->on_upstream_writable();
        return;
    }
    int why = 0;
    socklen_t size = sizeof why;
    if (::getsockopt(native(), SOL_SOCKET, SO_ERROR, &why, &size) != 0) why = errno;
    on_connected({why, boost::system::system_category()});
}

void Upstream::read() {
    if (reading_) return;
    if (in.empty() && last_read_filled_ && in.capacity() < kLargeBuffer) in.resize(kLargeBuffer);
    in.compact();
    reading_ = true;
    socket_.wait_readable();
}

void Upstream::on_readable() {
    const UpstreamPtr guard(this);
    const auto space = in.space();
    const auto [count, failure] = socket_.receive(space);
    if (failure == asio::error::would_block) return socket_.wait_readable();
    reading_ = false;
    last_read_filled_ = count == space.size();
    in.commit(count);
    if (user) return user->on_upstream_read(failure);
    pool_.drop(*this);
}

void Upstream::close() {
    user = nullptr;
    if (resolver_) resolver_->cancel();
    socket_.close();
}

UpstreamPtr UpstreamPool::take(const std::string& name, bool careful) {
    const auto found = idle_.find(name);
    if (found == idle_.end()) return nullptr;
    auto& connections = found->second;
    while (!connections.empty()) {
        auto connection = std::move(connections.back());
        connections.pop_back();
        if (!careful || is_quiet(connection->native())) return connection;
        connection->close();
    }
    return nullptr;
}

void UpstreamPool::put(UpstreamPtr connection, std::int64_t now) {
    auto& connections = idle_[connection->name];
    connection->user = nullptr;
    connection->reused = true;
    connection->idle_since = now;
    if (connections.size() >= kIdlePerTarget) {
        connections.front()->close();
        connections.erase(connections.begin());
    }
    connection->read();
    connections.push_back(std::move(connection));
}

void UpstreamPool::drop(Upstream& connection) {
    connection.close();
    const auto found = idle_.find(connection.name);
    if (found == idle_.end()) return;
    std::erase_if(found->second, [&](const UpstreamPtr& each) { return each.get() == &connection; });
}

void UpstreamPool::close_idle_since(std::int64_t limit) {
    for (auto each = idle_.begin(); each != idle_.end();) {
        std::erase_if(each->second, [limit](const UpstreamPtr& connection) {
            if (connection->idle_since >= limit) return false;
            connection->close();
            return true;
        });
        each = each->second.empty() ? idle_.erase(each) : std::next(each);
    }
}

void UpstreamPool::close_all() {
    close_idle_since(INT64_MAX);
}

}  // namespace berth::proxy
