#include "proxy/worker.hpp"

#include "async/notifier.hpp"
#include "base/text.hpp"
#include "obs/log.hpp"
#include "proxy/metrics.hpp"

#include <boost/asio/post.hpp>

#include <sys/socket.h>
#include <unistd.h>

namespace berth::proxy {
namespace {

constexpr std::chrono::milliseconds kSweepInterval{500};
constexpr std::int64_t kUpstreamIdleMilliseconds = 15'000;
constexpr std::chrono::milliseconds kErrorPageTime{10'000};
constexpr std::size_t kLargestErrorPage = 1024 * 1024;
constexpr std::chrono::milliseconds kTick{20};
constexpr std::chrono::milliseconds kLongDrain{10'000};
constexpr std::chrono::milliseconds kSlowTick{250};
constexpr std::chrono::milliseconds kGoodbyeTime{500};  // for Close frames, and what TLS relays have to send

constexpr std::string_view kTooMany =
    "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 10\r\n"
    "Content-Length: 48\r\nConnection: close\r\n\r\nYour address has too many connections open here.";

void log_failure(std::string_view task, const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {  // TaskScope's third place where exceptions end (style §3)
        log::error("proxy.task_failed", {{"task", task}, {"why", error.what()}});
    }
}

net::Endpoint endpoint_of(const Target& target) {
    net::Endpoint at;
    at.host = target.host;
    at.port = target.port;
    at.path = target.socket_path;
    return at;
}

asio::generic::stream_protocol protocol_of(int socket) {
    int family = AF_INET;
    socklen_t size = sizeof family;
    (void)::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size);
    return {family, family == AF_UNIX ? 0 : IPPROTO_TCP};
}

}  // namespace

// The loop runs on one thread, so the reactor needs no locks; the queue keeps them, since others post to it.
Worker::Worker(
    const ProxyOptions& options,
    const Routes& routes,
    AddressLimit& limit,
    net::TlsClient& tls_to_targets,
    const EdgePasses& edge_passes)
    : options_(options),
      shared_routes_(routes),
      limit_(limit),
      tls_to_targets_(tls_to_targets),
      edge_passes_(edge_passes),
      loop_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      poll_(loop_.get_executor()),
      pool_([this](int tcp, std::string host, TakePlain take) {
          secure(tcp, std::move(host), std::move(take));
      }),
      tasks_(loop_.get_executor(), log_failure),
      ending_(loop_.get_executor(), log_failure),
      sweeper_(loop_) {
    if (options.error_target.empty()) return;
    const auto target = parse_target(options.error_target);  // checked by validate()
    const auto to = endpoint_of(*target);
    http::Connector plain = [to](Deadline deadline) { return net::connect(to, deadline); };
    http::Connector tls = [this, to](Deadline deadline) { return connect_securely(to, deadline); };
    error_client_.emplace(to, target->tls ? std::move(tls) : std::move(plain), kLargestErrorPage);
    error_path_ = target->path + "/";
}

Worker::~Worker() {
    join();
}

void Worker::listen(net::Listener listener, std::vector<Worker*> takers) {
    listener_.emplace(std::move(listener));
    takers_ = std::move(takers);
}

void Worker::start() {
    if (listener_) tasks_.spawn("accept", OnStop::cancel, accept_all());
    sweep();
    thread_ = std::thread([this] { run(); });
}

void Worker::join() {
    if (thread_.joinable()) thread_.join();
}

void Worker::run() {
    for (;;) {
        try {
            loop_.run();
            loop_.restart();
            loop_.poll();  // what the stop left in the queue: the ends of its tasks
            return;
        } catch (const std::exception& error) {  // a bug in one session must not end the others
            log::error("proxy.loop_failed", {{"why", error.what()}});
        }
    }
}

const RouteTable& Worker::routes() {
    if (const auto version = shared_routes_.version(); version != routes_version_) {
        routes_ = shared_routes_.table();
        routes_version_ = version;
    }
    return *routes_;
}

awaitable<> Worker::accept_all() {
    for (std::size_t next = 0;; ++next) {
        auto accepted = co_await listener_->accept();
        if (!accepted) co_return;  // closed
        admit(std::move(*accepted), *takers_[next % takers_.size()]);
    }
}

// The relay ends with either side, at the latest when the worker's tasks do.
void Worker::secure(int tcp, std::string host, TakePlain take) {
    net::Socket socket(executor());
    error_code failure;
    socket.assign(protocol_of(tcp), tcp, failure);
    if (failure) ::close(tcp);
    const auto context = tls_to_targets_.context();
    if (!context) log::error("proxy.no_tls_to_targets", {{"why", context.error().message}});
    if (!context) failure = asio::error::no_permission;
    if (failure) return take(failure, -1);
    tasks_.spawn(
        "tls to target",
        OnStop::drain,
        net::originate_tls(*context, std::move(host), std::move(socket), std::move(take)));
}

awaitable<Result<net::Socket>> Worker::connect_securely(net::Endpoint to, Deadline deadline) {
    struct Handshake {
        explicit Handshake(const asio::any_io_executor& executor) : plain(executor), changed(executor) {}
        net::Socket plain;
        Notifier changed;
        bool done = false;
        error_code failure;
    };
    BERTH_CO_TRY(auto tcp, co_await net::connect(to, deadline));
    const auto shared = std::make_shared<Handshake>(executor());
    const int socket = tcp.release(shared->failure);
    secure(socket, to.host, [shared](error_code failure, int plain) {
        if (!failure) shared->plain.assign(protocol_of(plain), plain, failure);
        shared->failure = failure;
        shared->done = true;
        shared->changed.notify_all();
    });
    if (!shared->done) (void)co_await shared->changed.wait_until(deadline);
    if (shared->done && !shared->failure) co_return std::move(shared->plain);
    co_return Error{
        net::NetErrc::connect_refused,
        to.to_string() + " does not speak TLS with us",
        shared->done ? shared->failure.message() : "no handshake in time"};
}

void Worker::admit(net::Socket client, Worker& taker) {
    auto address = net::peer_address(client);
    const auto slot = limit_.take(address);
    if (!slot) return refuse(std::move(client), address);
    error_code failure;
    const int socket = client.release(failure);
    if (failure) return;
    if (certificate_ == nullptr)
        return taker.adopt(socket, {std::move(address), Transport::plain, *slot, nullptr});
    taker.adopt(socket, {std::move(address), Transport::tls, *slot, certificate_->current()});
}

// Answered at once, before anything is read: a client that waits for its turn would hold what is scarce. Who
// speaks TLS sees only the close.
void Worker::refuse(net::Socket client, const std::string& address) {
    count_refused_connection();
    log::debug("connection.refused", {{"peer", address}, {"why", "it has as many as it may"}});
    if (certificate_ == nullptr)
        (void)::send(client.native_handle(), kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(client.native_handle(), SHUT_WR);
}

void Worker::adopt(int socket, Arrival arrival) {
    asio::dispatch(loop_, [this, socket, from = std::move(arrival)]() mutable {
        // One that was accepted as a hand-over began has no other to answer it.
        if (is_ending()) return (void)::close(socket);
        auto tls = std::move(from.tls);
        const SessionPtr session(new Session(*this, std::move(from)));
        add(*session);
        session->start(socket, std::move(tls));
    });
}

void Worker::sweep() {
    const auto now = monotonic_milliseconds();
    for (auto each = sessions_.begin(); each != sessions_.end();) {
        auto& session = *each++;  // a session whose time is over leaves the list
        session.sweep(now);
    }
    pool_.close_idle_since(now - kUpstreamIdleMilliseconds);
    sweeper_.expires_after(kSweepInterval);
    sweeper_.async_wait([this](error_code failure) {
        if (!failure) sweep();
    });
}

void Worker::begin_stop(Drain how) {
    asio::post(loop_, [this, how] {
        draining_ = how;
        if (listener_) listener_->close();
        ending_.spawn("stop", OnStop::drain, stop());
    });
}

awaitable<> Worker::drain_sessions(Drain how) {
    const auto requests = Deadline::in(how.requests);
    const auto tunnels = Deadline::in(how.tunnels);
    const auto tick = how.requests > kLongDrain ? kSlowTick : kTick;
    if (how.idle.count() > 0) co_await sleep_for(how.idle);
    for (auto each = sessions_.begin(); each != sessions_.end();)
        (each++)->drain();
    const auto may_go_on = [&](const Session& each) {
        return each.is_tunnel() ? !tunnels.passed() : !requests.passed();
    };
    while (std::any_of(sessions_.begin(), sessions_.end(), may_go_on))
        co_await sleep_for(tick);
    for (auto each = sessions_.begin(); each != sessions_.end();)
        (each++)->say_goodbye();
    const auto goodbye = Deadline::in(kGoodbyeTime);
    while (!sessions_.empty() && !goodbye.passed())
        co_await sleep_for(kTick);
}

awaitable<> Worker::stop() {
    co_await drain_sessions(*draining_);
    while (!sessions_.empty())
        sessions_.front().abort();
    co_await tasks_.stop(kGoodbyeTime);
    pool_.close_all();
    sweeper_.cancel();
    error_client_.reset();
    loop_.stop();
}

void Worker::fetch_error_page(SessionPtr session, unsigned status, std::string target) {
    tasks_.spawn(
        "error page", OnStop::cancel, ask_error_target(std::move(session), status, std::move(target)));
}

awaitable<> Worker::ask_error_target(SessionPtr session, unsigned status, std::string target) {
    http::ClientRequest request;
    request.target = error_path_ + std::to_string(status) + "?url=" + url_escape_query(target);
    auto answer = co_await error_client_->send(std::move(request), Deadline::in(kErrorPageTime));
    if (!answer) {
        log::warn(
            "error_target.failed", {{"why", answer.error().message}, {"detail", answer.error().detail}});
        session->on_error_page(status, std::nullopt);
        co_return;
    }
    ErrorPage page;
    if (const auto type = answer->headers.find("Content-Type")) page.content_type = *type;
    if (const auto encoding = answer->headers.find("Content-Encoding")) page.content_encoding = *encoding;
    page.body = std::move(answer->body);
    session->on_error_page(status, std::move(page));
}

}  // namespace berth::proxy
