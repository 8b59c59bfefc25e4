// Connections to targets, and the idle ones of a worker. A read is always pending on a connection, idle or
// not, so a target that closes is noticed at once and a reused connection needs no new registration. One
// worker's loop only.
#pragma once

#include "proxy/poll.hpp"
#include "proxy/stream.hpp"
#include "proxy/target.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::proxy {

class Upstream;  // NOLINT(cppcoreguidelines-virtual-class-destructor): final, and deleted as what it is
using UpstreamPtr = boost::intrusive_ptr<Upstream>;

// Who uses a connection at the moment.
class UpstreamUser {
public:
    virtual void on_upstream_connected(error_code failure) = 0;
    // New bytes are in `in`, or `failure` says why none will come (end of stream included).
    virtual void on_upstream_read(error_code failure) = 0;
    virtual void on_upstream_writable() = 0;

protected:
    ~UpstreamUser() = default;
};

class UpstreamPool;

class Upstream final : public boost::intrusive_ref_counter<Upstream, boost::thread_unsafe_counter>,
                       private PolledSocket::User {
public:
    Upstream(Poll& poll, UpstreamPool& pool, std::string name);
    Upstream(const Upstream&) = delete;
    ~Upstream();

    void connect(const Target& target);  // ends in on_upstream_connected
    void read();                         // ends in on_upstream_read; does nothing while a read is pending
    void wait_writable() { socket_.wait_writable(); }  // ends in on_upstream_writable
    void close();
    int native() const { return socket_.native(); }

    Buffer in;
    UpstreamUser* user = nullptr;
    bool reused = false;
    std::int64_t idle_since = 0;
    const std::string name;  // Target::pool

private:
    using Endpoints = std::vector<asio::generic::stream_protocol::endpoint>;

    void on_readable() override;
    void on_writable() override;
    void secure();
    void connect_to(Endpoints all);
    void connect_to_next();
    error_code begin_to_connect(const Endpoints::value_type& to);
    void on_connected(error_code failure);
    void tell_connected(error_code failure);

    using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Loop>;
    UpstreamPool& pool_;
    Poll& poll_;
    PolledSocket socket_;
    Endpoints untried_;  // the next one at the back
    bool connecting_ = false;
    std::string tls_host_;  // not "": TLS, with a certificate of this name
    std::unique_ptr<Resolver> resolver_;
    bool reading_ = false;
    bool last_read_filled_ = false;
};

// Speaks TLS over the connected `tcp` socket with `host` and gives the plain end, or why there is none.
using TakePlain = std::function<void(error_code failure, int plain)>;
using SecureConnection = std::function<void(int tcp, std::string host, TakePlain take)>;

class UpstreamPool {
public:
    explicit UpstreamPool(SecureConnection how) : secure(std::move(how)) {}

    const SecureConnection secure;
    // The idle connection used last, or null. `careful`: only one that is quiet right now, for a request that
    // must not be sent twice.
    UpstreamPtr take(const std::string& name, bool careful);
    void put(UpstreamPtr connection, std::int64_t now);
    void drop(Upstream& connection);            // its target closed it, or sent what nobody asked for
    void close_idle_since(std::int64_t limit);  // those put back before `limit`
    void close_all();

private:
    static constexpr std::size_t kIdlePerTarget = 64;
    std::unordered_map<std::string, std::vector<UpstreamPtr>> idle_;
};

}  // namespace berth::proxy
