#include "base/text.hpp"
#include "http/impl/connection.hpp"

#include <boost/asio/cancellation_state.hpp>

namespace berth::http {
namespace {

constexpr std::size_t kLargestBuffer = 64 * 1024;
constexpr std::chrono::milliseconds kFirstRequestTime{250};

unsigned status_of(const Error& reason) {
    if (reason.is(FramingErrc::head_too_large) || reason.is(FramingErrc::too_many_fields)) return 431;
    if (reason.is(FramingErrc::unsupported_version)) return 505;
    return 400;
}

}  // namespace

Connection::Outcome Connection::refuse(unsigned status, const std::string& message) {
    refusal_ = Response::json(status, {{"status", status}, {"message", message}});
    for (const auto& [name, value] : server_->limits.own_headers)
        refusal_.headers.add(name, value);
    keep_alive_ = false;
    return Outcome::refused;
}

Connection::Outcome Connection::refuse(const Error& reason) {
    return refuse(status_of(reason), reason.message);
}

// Reads once. refused: 408. ended: the client has gone.
awaitable<Connection::Outcome> Connection::fill(Deadline deadline) {
    const auto largest = std::max(server_->limits.head.max_bytes, kLargestBuffer);
    const auto transfer = co_await socket_.read_some(buffer_.space(largest), deadline);
    buffer_.commit(transfer.bytes);
    if (transfer.failure == asio::error::timed_out)
        co_return refuse(408, "The request took too long to arrive.");
    co_return transfer.failure ? Outcome::ended : Outcome::request;
}

// Until the first byte of a request is there; false: none will come. Once the server stops, what has arrived
// is still taken, and who has connected and asked nothing yet has a moment to do so: nobody told them that it
// would be too late. A client that keeps connections expects that one ends between requests (RFC 9112
// §9.3.1).
awaitable<bool> Connection::await_request() {
    buffer_.shrink_when_idle();
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    if (!buffer_.empty()) co_return true;
    if (!server_->stopping) {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        const auto outcome = co_await fill(Deadline::in(server_->limits.idle_timeout));
        const auto state = co_await asio::this_coro::cancellation_state;
        const bool told_to_stop = state.cancelled() != asio::cancellation_type::none;
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        if (outcome == Outcome::request || !told_to_stop) co_return outcome == Outcome::request;
    }
    const auto last = was_asked_ ? std::chrono::milliseconds{0} : kFirstRequestTime;
    const auto outcome = co_await fill(Deadline::in(last));
    co_return outcome == Outcome::request;
}

// There is a byte of it.
awaitable<Connection::Outcome> Connection::read_head() {
    const auto& limits = server_->limits;
    const auto deadline = Deadline::in(limits.head_timeout);
    for (;;) {
        const auto progress = read_request_head(buffer_.data(), limits.head, head_);
        if (!progress) co_return refuse(progress.error());
        if (*progress == HeadProgress::complete) co_return Outcome::request;
        const auto outcome = co_await fill(deadline);
        if (outcome != Outcome::request) co_return outcome;
    }
}

awaitable<Connection::Outcome> Connection::read_request(Request& request) {
    http_1_0_ = false;  // until the head says so: a refusal is answered as HTTP/1.1
    method_ = Method::other;
    const auto outcome = co_await read_head();
    if (outcome != Outcome::request) co_return outcome;
    method_ = method_named(head_.method);
    http_1_0_ = head_.minor_version == 0;
    keep_alive_ = head_.keep_alive;
    request.method = method_;
    request.target = head_.target;
    request.headers = headers_of(head_.fields);
    request.peer_address = peer_address_;
    request.from_proxy = server_->trusted && from_this_machine_;
    request.local_peer = local_peer_;
    request.trusted_proxies = &server_->limits.trusted_proxies;
    path_ = request.path();
    const auto framing = head_.body;
    const auto expect = find_field(head_.fields, "Expect");
    const bool waits = !expect.empty() && !http_1_0_;
    if (waits && !equals_ignoring_case(expect, "100-continue"))
        co_return refuse(417, "Only 100-continue can be expected.");
    buffer_.consume(head_.bytes);
    if (framing.kind == BodyKind::none) co_return Outcome::request;
    if (framing.kind == BodyKind::length && framing.length > server_->limits.max_body_bytes) {
        co_return refuse(413, "The request body is too large.");
    }
    if (waits && buffer_.empty()) {
        const auto failure = co_await write("HTTP/1.1 100 Continue\r\n\r\n", {});
        if (failure) co_return Outcome::ended;
    }
    co_return co_await read_body(request.body, framing);
}

// Moves what has come of the body from the buffer to `body`.
Connection::Outcome Connection::take_body_bytes(
    std::string& body, BodyFraming framing, ChunkScanner& chunks, bool& done) {
    const auto limit = server_->limits.max_body_bytes;
    if (framing.kind == BodyKind::length) {
        const auto wanted = static_cast<std::size_t>(framing.length) - body.size();
        const auto piece = buffer_.data().substr(0, wanted);
        body.append(piece);
        buffer_.consume(piece.size());
        done = body.size() == framing.length;
        return Outcome::request;
    }
    while (!buffer_.empty() && !done) {
        const auto step = chunks.next(buffer_.data());
        if (!step) return refuse(step.error());
        if (step->payload.size() > limit - body.size()) return refuse(413, "The request body is too large.");
        body.append(step->payload);
        done = step->done;
        buffer_.consume(step->consumed);
    }
    return Outcome::request;
}

awaitable<Connection::Outcome> Connection::read_body(std::string& body, BodyFraming framing) {
    const auto deadline = Deadline::in(server_->limits.body_timeout);
    ChunkScanner chunks;
    for (bool done = false;;) {
        const auto taken = take_body_bytes(body, framing, chunks, done);
        if (taken != Outcome::request || done) co_return taken;
        const auto outcome = co_await fill(deadline);
        if (outcome != Outcome::request) co_return outcome;
    }
}

}  // namespace berth::http
