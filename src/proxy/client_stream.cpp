#include "proxy/client_stream.hpp"

#include <sys/socket.h>

#include <array>
#include <utility>

namespace berth::proxy {
namespace {

constexpr std::size_t kRecord = 16 * 1024;  // what TLS carries at once (RFC 8446 §5.1)

error_code failure_of(net::TlsStep step) {
    if (step == net::TlsStep::done) return {};
    return step == net::TlsStep::ended ? asio::error::eof : error_code(asio::error::connection_reset);
}

}  // namespace

error_code ClientStream::open(int socket, std::shared_ptr<net::TlsContext> tls) {
    auto failure = socket_.open(socket);
    if (!failure && tls) tls_.emplace(std::move(tls), socket);
    return failure;
}

void ClientStream::handshake() {
    shaking_hands_ = true;
    socket_.call_readable();
}

void ClientStream::read(asio::mutable_buffer space) {
    space_ = space;
    tls_ && tls_->has_pending() ? socket_.call_readable() : socket_.wait_readable();
}

void ClientStream::wait_writable() {
    user_waits_ = true;
    socket_.wait_writable();
}

void ClientStream::on_writable() {
    // The user may end this object; what waits beside it goes on in a turn of its own.
    if (std::exchange(step_needs_writing_, false)) socket_.call_readable();
    if (std::exchange(user_waits_, false)) user_.on_client_writable();
}

void ClientStream::go_on() {
    if (shaking_hands_) return go_on_with_handshake();
    if (tls_) return go_on_reading();
    const auto [count, failure] = socket_.receive(space_);
    if (failure == asio::error::would_block) return socket_.wait_readable();
    user_.on_client_read(failure, count);
}

void ClientStream::go_on_with_handshake() {
    const auto step = tls_->handshake();
    if (wait_for(step)) return;
    shaking_hands_ = false;
    user_.on_handshake(failure_of(step));
}

void ClientStream::go_on_reading() {
    std::size_t count = 0;
    const auto step = fill(count);
    if (count > 0) return user_.on_client_read({}, count);
    if (!wait_for(step)) user_.on_client_read(failure_of(step), 0);
}

bool ClientStream::wait_for(net::TlsStep step) {
    if (step == net::TlsStep::wants_read) {
        socket_.drained();
        socket_.wait_readable();
        return true;
    }
    step_needs_writing_ = step == net::TlsStep::wants_write;
    if (step_needs_writing_) socket_.wait_writable();
    return step_needs_writing_;
}

// One record after the other while there is space and the peer's bytes are here.
net::TlsStep ClientStream::fill(std::size_t& count) {
    auto space = space_;
    auto step = net::TlsStep::done;
    do {
        std::size_t got = 0;
        step = tls_->read(static_cast<char*>(space.data()), space.size(), got);
        if (step == net::TlsStep::done) count += got;
        space += got;
    } while (step == net::TlsStep::done && space.size() > 0 && tls_->has_pending());
    return step;
}

Sent ClientStream::send_secured(Slices& slices) {
    using More = net::TlsStream::More;
    thread_local std::array<char, kRecord> together;
    while (!slices.empty()) {
        const auto piece = slices.front({together.data(), together.size()});
        const auto more = slices.size() > piece.size() ? More::follows : More::none;
        std::size_t sent = 0;
        switch (tls_->write(piece, more, sent)) {
            case net::TlsStep::done:
                slices.consume(sent);
                break;
            case net::TlsStep::wants_write:
                return Sent::some;
            case net::TlsStep::wants_read:  // only a handshake does, and that is over
            case net::TlsStep::ended:
            case net::TlsStep::failed:
                return Sent::failed;
        }
    }
    slices.clear();
    return Sent::all;
}

void ClientStream::end() {
    if (tls_) tls_->say_end();
    ::shutdown(native(), SHUT_WR);
}

}  // namespace berth::proxy
