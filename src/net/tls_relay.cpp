#include "async/both.hpp"
#include "net/impl/tls_context.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace berth::net {

namespace ssl = asio::ssl;

namespace {

using namespace std::chrono_literals;

constexpr auto kHandshakeTime = 10s;
constexpr auto kGoodbyeTime = 2s;
constexpr std::size_t kRecord = 16 * 1024;  // what TLS carries at once (RFC 8446 §5.1)

using Stream = ssl::stream<Socket>;

// Both ends of one connection, held by the two relays and the timer.
struct Relay {
    Relay(std::shared_ptr<TlsContext> with, Socket socket)
        : context(std::move(with)),
          stream(std::move(socket), context->context),
          plain(stream.get_executor()),
          timer(stream.get_executor()) {}

    void close() {
        error_code ignored;
        stream.next_layer().close(ignored);
        plain.close(ignored);
    }

    std::shared_ptr<TlsContext> context;
    Stream stream;
    Socket plain;
    asio::steady_timer timer;
};
using RelayPtr = std::shared_ptr<Relay>;

void close_at(const RelayPtr& relay, std::chrono::milliseconds span) {
    relay->timer.expires_after(span);
    relay->timer.async_wait([relay](error_code cancelled) {
        if (!cancelled) relay->close();
    });
}

// Opens the local pair; the other end is the answer, or -1.
int open_pair(Relay& relay) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return -1;
    error_code failure;
    relay.plain.assign(asio::generic::stream_protocol(AF_UNIX, 0), ends[0], failure);
    if (!failure) return ends[1];
    ::close(ends[0]);
    ::close(ends[1]);
    return -1;
}

// What the peer sends, to the plain side; its end is passed on as an end.
awaitable<> relay_in(RelayPtr relay) {
    std::vector<char> buffer(kRecord);
    for (;;) {
        auto read = co_await relay->stream.async_read_some(asio::buffer(buffer), as_tuple);
        auto& [failure, count] = read;
        if (failure) break;
        auto written = co_await asio::async_write(relay->plain, asio::buffer(buffer.data(), count), as_tuple);
        if (std::get<0>(written)) break;
    }
    error_code ignored;  // closed already, then
    relay->plain.shutdown(asio::socket_base::shutdown_send, ignored);
}

// What the plain side sends, to the peer; after its end a goodbye, so that the peer knows it has all.
awaitable<> relay_out(RelayPtr relay) {
    std::vector<char> buffer(kRecord);
    for (;;) {
        auto read = co_await relay->plain.async_read_some(asio::buffer(buffer), as_tuple);
        auto& [failure, count] = read;
        if (failure) break;
        auto written =
            co_await asio::async_write(relay->stream, asio::buffer(buffer.data(), count), as_tuple);
        if (std::get<0>(written)) {
            relay->close();
            co_return;
        }
    }
    close_at(relay, kGoodbyeTime);
    (void)co_await relay->stream.async_shutdown(as_tuple);
    relay->close();
}

struct CloseAtEnd {
    RelayPtr relay;
    ~CloseAtEnd() {
        relay->timer.cancel();
        relay->close();
    }
};

// The peer's certificate must be of `host`, a name or an address; a name is also told to it (RFC 6066 §3).
bool expect(Stream& stream, std::string host) {
    auto* native = stream.native_handle();
    error_code no_address;
    (void)asio::ip::make_address(host, no_address);
    if (!no_address) return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(native), host.c_str()) == 1;
    const bool told =
        ::SSL_ctrl(native, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) == 1;
    return told && ::SSL_set1_host(native, host.c_str()) == 1;
}

}  // namespace

awaitable<> terminate_tls(
    std::shared_ptr<TlsContext> context, Socket socket, std::function<void(int plain)> take) {
    const auto relay = std::make_shared<Relay>(std::move(context), std::move(socket));
    const CloseAtEnd end{relay};
    close_at(relay, kHandshakeTime);
    auto shaken = co_await relay->stream.async_handshake(ssl::stream_base::server, as_tuple);
    relay->timer.cancel();
    if (std::get<0>(shaken)) co_return;
    const int plain = open_pair(*relay);
    if (plain < 0) co_return;
    take(plain);
    co_await both(relay_in(relay), relay_out(relay));
}

awaitable<> originate_tls(
    std::shared_ptr<TlsContext> context,
    std::string host,
    Socket socket,
    std::function<void(error_code failure, int plain)> take) {
    const auto relay = std::make_shared<Relay>(std::move(context), std::move(socket));
    const CloseAtEnd end{relay};
    error_code failure = asio::error::invalid_argument;
    if (expect(relay->stream, host)) {
        close_at(relay, kHandshakeTime);
        auto shaken = co_await relay->stream.async_handshake(ssl::stream_base::client, as_tuple);
        relay->timer.cancel();
        failure = std::get<0>(shaken);
    }
    const int plain = failure ? -1 : open_pair(*relay);
    if (!failure && plain < 0) failure = asio::error::no_descriptors;
    take(failure, plain);
    if (!failure) co_await both(relay_in(relay), relay_out(relay));
}

}  // namespace berth::net
