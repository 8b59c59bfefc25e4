#include "http/impl/connection.hpp"

#include "base/random.hpp"
#include "obs/log.hpp"

#include <boost/asio/cancellation_state.hpp>

namespace berth::http {
namespace {

constexpr std::chrono::milliseconds kDrainTime{2'000};
constexpr std::size_t kMaxDrainedBytes = 16 * 1024 * 1024;

std::string description_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {  // thrown by nobody here; named so that the log has a line all the same
        return "an exception of an unknown type";
    }
}

class StreamWriter final : public BodyWriter {
public:
    enum class Coding { chunked, none };
    StreamWriter(net::TimedSocket& socket, std::chrono::milliseconds stall, Coding coding)
        : socket_(socket), stall_(stall), coding_(coding) {
        socket_.watch_for_close([this] {
            gone_ = true;
            socket_.cancel();  // a write that waits for a reader who will not come
        });
    }
    ~StreamWriter() override { socket_.stop_watching(); }

    awaitable<> write(std::string piece) override {
        if (piece.empty()) co_return;  // as a chunk it would end the body
        std::string size_line;
        if (coding_ == Coding::chunked) size_line = chunk_size_line(piece.size());
        net::TimedSocket::Pieces pieces{size_line, piece, coding_ == Coding::chunked ? "\r\n" : ""};
        co_await put(pieces);
    }

    awaitable<> finish() {
        if (coding_ == Coding::chunked) {
            net::TimedSocket::Pieces pieces{"0\r\n\r\n", {}, {}};
            co_await put(pieces);
        }
    }

    bool lost_client() const { return lost_ || gone_; }

private:
    awaitable<> put(net::TimedSocket::Pieces pieces) {
        error_code failure;
        if (!gone_ && !socket_.try_write(pieces, failure)) failure = co_await socket_.write(pieces, stall_);
        if (gone_) failure = asio::error::broken_pipe;
        if (!failure) co_return;
        if (failure != asio::error::operation_aborted) lost_ = true;
        throw boost::system::system_error(failure);
    }

    net::TimedSocket& socket_;
    std::chrono::milliseconds stall_;
    Coding coding_;
    bool gone_ = false;
    bool lost_ = false;
};

}  // namespace

awaitable<> serve(std::shared_ptr<ServerContext> server, net::Socket socket) {
    Connection connection(std::move(server), std::move(socket));
    co_await connection.run();
}

void refuse_connection(const ServerContext& server, net::Socket socket) {
    auto response =
        Response::json(503, {{"status", 503}, {"message", "Too many connections; try again in a moment."}});
    for (const auto& [name, value] : server.limits.own_headers)
        response.headers.add(name, value);
    std::string head;
    const BodyFraming framing{BodyKind::length, response.body.size()};
    append_response_head(head, response.status, response.headers, framing, ConnectionOption::close);
    net::TimedSocket timed(std::move(socket));
    net::TimedSocket::Pieces pieces{head, response.body, {}};
    error_code failure;  // nobody is told: the connection is closed either way
    timed.try_write(pieces, failure);
}

Connection::Connection(std::shared_ptr<ServerContext> server, net::Socket socket)
    : server_(std::move(server)),
      socket_(std::move(socket)),
      peer_address_(net::peer_address(socket_.socket())),
      from_this_machine_(net::is_from_this_machine(socket_.socket())) {
    if (const auto peer = net::peer_credentials(socket_.socket()))
        local_peer_ = std::make_shared<const net::PeerCredentials>(*peer);
    ++server_->connections;
}

Connection::~Connection() {
    --server_->connections;
}

// A request of which a byte has come is read and answered within the scope's grace.
awaitable<> Connection::run() {
    while (co_await await_request()) {
        was_asked_ = true;
        Request request;
        const auto outcome = co_await read_request(request);
        if (outcome == Outcome::ended) co_return;
        if (outcome == Outcome::refused) {
            co_await send_refusal();
            co_return;
        }
        const bool goes_on = co_await answer(std::move(request));
        if (!goes_on) co_return;
    }
}

ConnectionOption Connection::connection_option() const {
    if (!keep_alive_) return ConnectionOption::close;
    return http_1_0_ ? ConnectionOption::keep_alive : ConnectionOption::none;
}

Response Connection::failure_response(const std::exception_ptr& failure) {
    const auto error_id = random_hex(8);
    log::error(
        "request.failed",
        {{"server", server_->name},
         {"method", name_of(method_)},
         {"path", path_},
         {"error_id", error_id},
         {"reason", description_of(failure)}});
    auto response = Response::json(
        500,
        {{"status", 500},
         {"message",
          "Internal Server Error. Your administrator finds the reason in the log under " + error_id + "."},
         {"error_id", error_id}});
    for (const auto& [name, value] : server_->limits.own_headers)
        response.headers.add(name, value);
    return response;
}

awaitable<Response> Connection::respond(Request request) {
    std::exception_ptr failure;
    try {
        auto running = server_->handler(std::move(request));
        auto response = co_await std::move(running);
        co_return response;
    } catch (...) {  // the request boundary (style §3); judged below, where waiting is allowed
        failure = std::current_exception();
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none && is_cancellation(failure))
        std::rethrow_exception(failure);
    co_return failure_response(failure);
}

// False: the connection is to be closed.
awaitable<bool> Connection::answer(Request request) {
    const auto response = co_await respond(std::move(request));
    if (const auto option = response.headers.find("Connection"); option && *option == "close")
        keep_alive_ = false;
    if (server_->stopping) keep_alive_ = false;
    if (response.stream) co_return co_await send_stream(response);
    co_return co_await send(response);
}

awaitable<error_code> Connection::write(std::string_view first, std::string_view second) {
    net::TimedSocket::Pieces pieces{first, second, {}};
    error_code failure;
    if (socket_.try_write(pieces, failure)) co_return failure;
    co_return co_await socket_.write(pieces, server_->limits.write_timeout);
}

awaitable<bool> Connection::send(const Response& response) {
    const bool bodiless = response.status == 204 || response.status == 304 || response.status < 200;
    const BodyFraming framing{bodiless ? BodyKind::none : BodyKind::length, response.body.size()};
    out_.clear();
    append_response_head(out_, response.status, response.headers, framing, connection_option());
    const std::string_view body = bodiless || method_ == Method::head ? "" : std::string_view(response.body);
    const auto failure = co_await write(out_, body);
    if (failure && log::enabled(log::Level::debug)) {
        log::debug("request.abandoned", {{"server", server_->name}, {"path", path_}, {"status", 499}});
    }
    co_return keep_alive_ && !failure;
}

awaitable<bool> Connection::send_stream(const Response& response) {
    if (http_1_0_) keep_alive_ = false;  // the end of the connection is the end of the body
    const BodyFraming framing{http_1_0_ ? BodyKind::until_close : BodyKind::chunked, 0};
    out_.clear();
    append_response_head(out_, response.status, response.headers, framing, connection_option());
    const auto failure = co_await write(out_, {});
    if (failure) co_return false;
    if (method_ == Method::head) co_return keep_alive_;
    // A stream may go on for hours, so a scope that stops ends it at once; its browser asks again.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    const auto coding = http_1_0_ ? StreamWriter::Coding::none : StreamWriter::Coding::chunked;
    StreamWriter writer(socket_, server_->limits.write_timeout, coding);
    std::exception_ptr broken;
    try {
        auto running = response.stream(writer);
        co_await std::move(running);
        co_await writer.finish();
        co_return keep_alive_;
    } catch (...) {  // the request boundary (style §3); judged below, where waiting is allowed
        broken = std::current_exception();
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none && is_cancellation(broken))
        std::rethrow_exception(broken);
    // Without its last chunk the client knows that the body is cut.
    if (!writer.lost_client()) (void)failure_response(broken);
    co_return false;
}

awaitable<> Connection::send_refusal() {
    if (log::enabled(log::Level::debug)) {
        log::debug(
            "request.refused",
            {{"server", server_->name}, {"status", refusal_.status}, {"from", peer_address_}});
    }
    const bool sent = co_await send(refusal_);
    (void)sent;  // the connection ends either way
    co_await drain();
}

// Closing with unread bytes makes the kernel reset the connection, which may take the answer away from the
// client before it is read. So the rest is read, for a while, and thrown away.
awaitable<> Connection::drain() {
    socket_.shutdown_send();
    const auto deadline = Deadline::in(kDrainTime);
    for (std::size_t drained = 0; drained < kMaxDrainedBytes;) {
        buffer_.consume(buffer_.data().size());
        const auto transfer = co_await socket_.read_some(buffer_.space(ReadBuffer::kKept), deadline);
        if (transfer.failure) co_return;
        drained += transfer.bytes;
        buffer_.commit(transfer.bytes);
    }
}

}  // namespace berth::http
