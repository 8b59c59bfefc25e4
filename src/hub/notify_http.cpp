#include "hub/notify_http.hpp"

#include "async/notifier.hpp"
#include "net/resolve.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>

namespace berth::hub {
namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024;

// What the relay gives back, or finds that nobody waits for it any more.
struct Handshake {
    explicit Handshake(const asio::any_io_executor& executor) : over(executor) {}
    ~Handshake() {
        if (plain >= 0) ::close(plain);
    }
    Notifier over;
    bool done = false;
    error_code failure;
    int plain = -1;
};

struct Secured {
    TaskScope* scope;
    std::shared_ptr<net::TlsContext> context;
    net::Endpoint to;  // its host is the name that the certificate must be of
    Reach reach;
};

awaitable<Result<net::Socket>> connect_within(net::Endpoint to, Reach reach, Deadline deadline) {
    if (reach == Reach::anywhere) co_return co_await net::connect(to, deadline);
    BERTH_CO_TRY(const auto addresses, co_await net::resolve(to, deadline));
    for (const auto& address : addresses) {
        if (!net::is_public_address(address)) continue;
        net::Endpoint numeric = to;
        numeric.host = address;
        auto connected = co_await net::connect(numeric, deadline);
        if (connected || deadline.passed()) co_return connected;
    }
    co_return Error{net::NetErrc::connect_refused, to.host + " is nowhere that the hub may send to."};
}

awaitable<Result<net::Socket>> connect_secured(Secured wanted, Deadline deadline) {
    BERTH_CO_TRY(auto socket, co_await connect_within(wanted.to, wanted.reach, deadline));
    const auto executor = co_await asio::this_coro::executor;
    const auto handshake = std::make_shared<Handshake>(executor);
    auto take = [handshake](error_code failure, int plain) {
        handshake->done = true;
        handshake->failure = failure;
        handshake->plain = plain;
        handshake->over.notify_all();
    };
    auto relay = net::originate_tls(wanted.context, wanted.to.host, std::move(socket), std::move(take));
    wanted.scope->spawn("notice over TLS", OnStop::cancel, std::move(relay));
    while (!handshake->done) {
        const bool told = co_await handshake->over.wait_until(deadline);
        if (!told && !handshake->done)
            co_return Error{
                net::NetErrc::connect_timeout, wanted.to.to_string() + " did not answer in time."};
    }
    if (handshake->failure)
        co_return Error{
            net::NetErrc::connect_refused,
            "No TLS with " + wanted.to.to_string() + ": " + handshake->failure.message() + "."};
    net::Socket plain(executor);
    error_code failure;
    plain.assign(asio::generic::stream_protocol(AF_UNIX, 0), handshake->plain, failure);
    if (failure) co_return Error{net::NetErrc::connect_refused, failure.message()};
    handshake->plain = -1;
    co_return std::move(plain);
}

}  // namespace

awaitable<Result<unsigned>> Outbound::send(Post post, Deadline deadline) {
    BERTH_CO_TRY(const auto url, net::parse_http_url(post.url));
    http::Connector connector;
    if (post.reach == Reach::outside && url.scheme != "https")
        co_return Error{net::NetErrc::malformed_address, "Only https is sent to."};
    if (url.scheme == "https") {
        BERTH_CO_TRY(auto context, tls_.context());
        connector = [wanted = Secured{&scope_, std::move(context), url.endpoint, post.reach}](
                        Deadline until) { return connect_secured(wanted, until); };
    } else {
        connector = [to = url.endpoint](Deadline until) { return net::connect(to, until); };
    }
    http::Client client(url.endpoint, std::move(connector), kMaxAnswer);
    http::ClientRequest request;
    request.method = http::Method::post;
    request.target = url.path;
    request.headers = std::move(post.headers);
    request.headers.add("User-Agent", "Berth");
    request.body = std::move(post.body);
    BERTH_CO_TRY(const auto answer, co_await client.send(std::move(request), deadline));
    co_return answer.status;
}

}  // namespace berth::hub
