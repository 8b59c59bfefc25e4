#include "http/impl/client_connection.hpp"

#include "http/impl/wire.hpp"

namespace berth::http {
namespace {

constexpr std::size_t kLargestBuffer = 64 * 1024;
constexpr std::chrono::milliseconds kStall{60'000};

Error error_of(const net::Endpoint& peer, const error_code& failure) {
    if (failure == asio::error::operation_aborted) throw boost::system::system_error(failure);
    if (failure == asio::error::timed_out) {
        return {ClientErrc::timeout, peer.to_string() + " did not answer in time.", failure.message()};
    }
    return {
        ClientErrc::closed_early,
        peer.to_string() + " closed the connection before its answer was complete.",
        failure.message()};
}

Error malformed(const net::Endpoint& peer, const Error& reason) {
    return {
        ClientErrc::malformed_response,
        peer.to_string() + " sent an answer that is not valid HTTP.",
        reason.message};
}

}  // namespace

ClientConnection::ClientConnection(net::Endpoint peer, net::Socket socket)
    : peer_(std::move(peer)), socket_(std::move(socket)), idle_since_(std::chrono::steady_clock::now()) {}

bool ClientConnection::is_usable(std::chrono::milliseconds longest_idle) {
    return std::chrono::steady_clock::now() - idle_since_ < longest_idle && !socket_.is_spent();
}

void ClientConnection::note_idle() {
    idle_since_ = std::chrono::steady_clock::now();
    buffer_.shrink_when_idle();
}

awaitable<Result<bool>> ClientConnection::fill(Deadline deadline) {
    const auto transfer = co_await socket_.read_some(buffer_.space(kLargestBuffer), deadline);
    buffer_.commit(transfer.bytes);
    got_bytes_ = got_bytes_ || transfer.bytes > 0;
    if (!transfer.failure) co_return true;
    if (transfer.failure == asio::error::eof) co_return false;
    co_return error_of(peer_, transfer.failure);
}

awaitable<Result<void>> ClientConnection::exchange_heads(const ClientRequest& request, Deadline deadline) {
    std::string out;
    const bool has_length = !request.body.empty() || request.method == Method::post ||
                            request.method == Method::put || request.method == Method::patch;
    const BodyFraming framing{has_length ? BodyKind::length : BodyKind::none, request.body.size()};
    const std::string host = peer_.is_unix() ? "localhost" : peer_.to_string();
    append_request_head(out, request.method, request.target, host, request.headers, framing);
    got_bytes_ = false;
    // A write that fails is not the end: the peer may have refused the body, and said why, before it closed.
    const net::TimedSocket::Pieces pieces{out, request.body, {}};
    const auto write_failure = co_await socket_.write(pieces, kStall, deadline);
    if (write_failure == asio::error::timed_out || write_failure == asio::error::operation_aborted) {
        co_return error_of(peer_, write_failure);
    }
    const auto answers_head = request.method == Method::head ? AnswersHead::yes : AnswersHead::no;
    for (;;) {
        const auto progress = read_response_head(buffer_.data(), HeadLimits{}, answers_head, head_);
        if (!progress) co_return malformed(peer_, progress.error());
        if (*progress == HeadProgress::complete) {
            status_ = head_.status;
            headers_ = headers_of(head_.fields);
            framing_ = head_.body;
            left_ = framing_.length;
            keep_alive_ = head_.keep_alive && status_ >= 200 && !write_failure;
            buffer_.consume(head_.bytes);
            if (status_ >= 200 || status_ == 101) co_return Result<void>();
            continue;  // 1xx: the answer is still to come (RFC 9110 §15.2)
        }
        BERTH_CO_TRY(const bool more, co_await fill(deadline));
        if (!more) co_return error_of(peer_, asio::error::eof);
    }
}

// What the buffer has of the body; `ended_` when that was its end.
Result<std::string> ClientConnection::take_body_bytes() {
    std::string piece;
    switch (framing_.kind) {
        case BodyKind::none:
            ended_ = true;
            break;
        case BodyKind::length:
            piece =
                buffer_.data().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, SIZE_MAX)));
            buffer_.consume(piece.size());
            left_ -= piece.size();
            ended_ = left_ == 0;
            break;
        case BodyKind::chunked:
            while (!buffer_.empty() && !ended_) {
                const auto step = chunks_.next(buffer_.data());
                if (!step) return malformed(peer_, step.error());
                piece.append(step->payload);
                ended_ = step->done;
                buffer_.consume(step->consumed);
            }
            break;
        case BodyKind::until_close:
            piece = buffer_.data();
            buffer_.consume(piece.size());
            break;
    }
    return piece;
}

awaitable<Result<std::string>> ClientConnection::read_body_piece(Deadline deadline) {
    while (!ended_) {
        BERTH_CO_TRY(auto piece, take_body_bytes());
        if (!piece.empty()) co_return piece;
        if (ended_) break;
        BERTH_CO_TRY(const bool more, co_await fill(deadline));
        if (more) continue;
        if (framing_.kind != BodyKind::until_close) co_return error_of(peer_, asio::error::eof);
        ended_ = true;
    }
    co_return std::string();
}

}  // namespace berth::http
