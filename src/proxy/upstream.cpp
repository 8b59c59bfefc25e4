#include "proxy/upstream.hpp"

#include "proxy/metrics.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace berth::proxy {
namespace {

constexpr std::size_t kSmallBuffer = 16 * 1024;
constexpr std::size_t kLargeBuffer = 64 * 1024;

using Endpoint = asio::generic::stream_protocol::endpoint;

}  // namespace

Upstream::Upstream(const Loop& loop, UpstreamPool& pool, std::string target_name)
    : socket(loop), in(kSmallBuffer), name(std::move(target_name)), pool_(pool) {
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
        return connect_to({Endpoint(asio::local::stream_protocol::endpoint(target.socket_path))}, 0);
    }
    if (target.tls) tls_host_ = target.host;
    error_code failure;
    const auto address = asio::ip::make_address(target.host, failure);
    if (!failure) return connect_to({Endpoint(asio::ip::tcp::endpoint(address, target.port))}, 0);

    resolver_ = std::make_unique<Resolver>(socket.get_executor());
    resolver_->async_resolve(
        target.host,
        std::to_string(target.port),
        Resolver::numeric_service,
        [self = UpstreamPtr(this)](error_code why, const Resolver::results_type& found) {
            if (why || !self->user) return self->tell_connected(why);
            std::vector<Endpoint> all;
            for (const auto& each : found)
                all.emplace_back(each.endpoint());
            self->connect_to(std::move(all), 0);
        });
}

void Upstream::connect_to(std::vector<Endpoint> all, std::size_t next) {
    if (next >= all.size()) return tell_connected(asio::error::host_unreachable);
    error_code ignored;
    socket.close(ignored);
    const auto to = all[next];
    socket.async_connect(
        to, [self = UpstreamPtr(this), all = std::move(all), next](error_code failure) mutable {
            if (failure && failure != asio::error::operation_aborted && next + 1 < all.size()) {
                return self->connect_to(std::move(all), next + 1);
            }
            if (!failure) set_no_delay(self->native());
            if (!failure && !self->tls_host_.empty()) return self->secure();
            self->tell_connected(failure);
        });
}

// What is read and written from now on is the plain end.
void Upstream::secure() {
    error_code failure;
    const int tcp = socket.release(failure);
    if (failure) return tell_connected(failure);
    pool_.secure(tcp, tls_host_, [self = UpstreamPtr(this)](error_code why, int plain) {
        if (why) return self->tell_connected(why);
        if (self->user) self->socket.assign(asio::generic::stream_protocol(AF_UNIX, 0), plain, why);
        if (!self->user || why) ::close(plain);
        self->tell_connected(why);
    });
}

void Upstream::tell_connected(error_code failure) {
    if (user) user->on_upstream_connected(failure);
}

void Upstream::read() {
    if (reading_) return;
    if (in.empty() && last_read_filled_ && in.capacity() < kLargeBuffer) in.resize(kLargeBuffer);
    in.compact();
    reading_ = true;
    const auto space = in.space();
    socket.async_read_some(
        space, [self = UpstreamPtr(this), size = space.size()](error_code failure, std::size_t count) {
            self->reading_ = false;
            self->last_read_filled_ = count == size;
            self->in.commit(count);
            if (self->user) return self->user->on_upstream_read(failure);
            self->pool_.drop(*self);
        });
}

void Upstream::close() {
    user = nullptr;
    if (resolver_) resolver_->cancel();
    error_code ignored;
    socket.close(ignored);
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
