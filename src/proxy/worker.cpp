#include "proxy/worker.hpp"

#include "base/text.hpp"
#include "obs/log.hpp"

#include <boost/asio/post.hpp>

#include <sys/socket.h>
#include <unistd.h>

namespace berth::proxy {
namespace {

constexpr std::chrono::milliseconds kSweepInterval{500};
constexpr std::int64_t kUpstreamIdleMilliseconds = 15'000;
constexpr std::chrono::milliseconds kErrorPageTime{10'000};
constexpr std::chrono::milliseconds kTick{20};

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
Worker::Worker(const ProxyOptions& options, const Routes& routes)
    : options_(options),
      shared_routes_(routes),
      loop_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      tasks_(loop_.get_executor(), log_failure),
      ending_(loop_.get_executor(), log_failure),
      sweeper_(loop_) {
    if (options.error_target.empty()) return;
    const auto target = parse_target(options.error_target);  // checked by validate()
    error_client_.emplace(endpoint_of(*target), std::size_t{1024 * 1024});
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
        auto peer = net::peer_address(*accepted);
        error_code failure;
        const int socket = accepted->release(failure);
        if (failure) continue;
        takers_[next % takers_.size()]->adopt(socket, std::move(peer));
    }
}

void Worker::adopt(int socket, std::string peer_address) {
    asio::dispatch(loop_, [this, socket, peer = std::move(peer_address)]() mutable {
        Socket client(loop());
        error_code failure;
        client.assign(protocol_of(socket), socket, failure);
        if (failure || draining_) {
            if (failure) ::close(socket);
            return;
        }
        const SessionPtr session(new Session(*this, std::move(client), std::move(peer)));
        add(*session);
        session->start();
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

void Worker::begin_stop(std::chrono::milliseconds grace) {
    asio::post(loop_, [this, grace] {
        draining_ = true;
        if (listener_) listener_->close();
        ending_.spawn("stop", OnStop::drain, stop_after(grace));
    });
}

awaitable<> Worker::stop_after(std::chrono::milliseconds grace) {
    for (auto each = sessions_.begin(); each != sessions_.end();)
        (each++)->drain();
    const auto limit = Deadline::in(grace);
    const auto is_busy = [this] {
        return std::any_of(
            sessions_.begin(), sessions_.end(), [](const Session& each) { return !each.is_tunnel(); });
    };
    while (is_busy() && !limit.passed())
        co_await sleep_for(kTick);
    while (!sessions_.empty())
        sessions_.front().abort();
    co_await tasks_.stop(std::chrono::milliseconds{0});
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
