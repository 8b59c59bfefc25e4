#include "proxy/client_stream.hpp"

#include <sys/socket.h>

namespace berth::proxy {
namespace {

constexpr std::size_t kRecord = 16 * 1024;  // what TLS carries at once (RFC 8446 §5.1)

}  // namespace

ClientStream::ClientStream(Socket socket, std::shared_ptr<net::TlsContext> tls) : socket_(std::move(socket)) {
    if (!tls) return;
    error_code ignored;  // the handshake fails then
    socket_.non_blocking(true, ignored);
    tls_.emplace(std::move(tls), native());
}

error_code ClientStream::failure_of(net::TlsStep step) {
    if (step == net::TlsStep::done) return {};
    return step == net::TlsStep::ended ? error_code(asio::error::eof)
                                       : error_code(asio::error::connection_reset);
}

// One record after the other while there is space and the peer's bytes are here.
net::TlsStep ClientStream::fill(asio::mutable_buffer space, std::size_t& count) {
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

void ClientStream::close() {
    error_code ignored;  // the descriptor is gone whatever close() says
    socket_.close(ignored);
}

}  // namespace berth::proxy
