#include "net/impl/tls_context.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>

namespace berth::net {

namespace {

// What OpenSSL reads and writes by: its own socket BIO knows neither MSG_NOSIGNAL nor MSG_MORE, which sends
// several records as one piece.
struct Wire {
    int socket = -1;
    bool more = false;
};

bool would_block() {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int wire_write(BIO* bio, const char* bytes, int size) {
    const auto& wire = *static_cast<const Wire*>(::BIO_get_data(bio));
    const auto sent = ::send(
        wire.socket,
        bytes,
        static_cast<std::size_t>(size),
        MSG_NOSIGNAL | MSG_DONTWAIT | (wire.more ? MSG_MORE : 0));
    BIO_clear_retry_flags(bio);
    if (sent < 0 && would_block()) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int wire_read(BIO* bio, char* into, int size) {
    const auto& wire = *static_cast<const Wire*>(::BIO_get_data(bio));
    const auto got = ::recv(wire.socket, into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (got < 0 && would_block()) BIO_set_retry_read(bio);
    return static_cast<int>(got);
}

long wire_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* wire_method() {
    static BIO_METHOD* const method = [] {
        auto* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
        if (made == nullptr) return made;
        ::BIO_meth_set_write(made, wire_write);
        ::BIO_meth_set_read(made, wire_read);
        ::BIO_meth_set_ctrl(made, wire_control);
        return made;
    }();
    return method;
}

}  // namespace

struct TlsStream::State {
    struct Free {
        void operator()(SSL* each) const { ::SSL_free(each); }
    };
    std::shared_ptr<TlsContext> context;
    Wire wire;
    std::unique_ptr<SSL, Free> ssl;

    // OpenSSL keeps its errors for the thread, so what is there is of the call that just failed.
    TlsStep after(int result) const {
        const int why = ::SSL_get_error(ssl.get(), result);
        const bool at_end = why == SSL_ERROR_SYSCALL && errno == 0;
        const bool cut = why == SSL_ERROR_SSL &&
                         ERR_GET_REASON(::ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
        ::ERR_clear_error();
        switch (why) {
            case SSL_ERROR_WANT_READ:
                return TlsStep::wants_read;
            case SSL_ERROR_WANT_WRITE:
                return TlsStep::wants_write;
            case SSL_ERROR_ZERO_RETURN:
                return TlsStep::ended;
            default:
                return at_end || cut ? TlsStep::ended : TlsStep::failed;
        }
    }
};

TlsStream::TlsStream(std::shared_ptr<TlsContext> context, int socket) : state_(std::make_unique<State>()) {
    state_->context = std::move(context);
    state_->ssl.reset(::SSL_new(state_->context->context.native_handle()));
    state_->wire.socket = socket;
    auto* ssl = state_->ssl.get();
    auto* const bio = ssl == nullptr ? nullptr : ::BIO_new(wire_method());
    if (bio == nullptr) {
        ::ERR_clear_error();
        state_->ssl.reset();  // out of memory: every step fails
        return;
    }
    ::BIO_set_data(bio, &state_->wire);
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(ssl, bio, bio);
    ::SSL_set_mode(
        ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    ::SSL_set_read_ahead(ssl, 1);
    ::SSL_set_accept_state(ssl);
}

TlsStream::~TlsStream() = default;

TlsStep TlsStream::handshake() {
    if (!state_->ssl) return TlsStep::failed;
    errno = 0;
    const int result = ::SSL_do_handshake(state_->ssl.get());
    return result == 1 ? TlsStep::done : state_->after(result);
}

TlsStep TlsStream::read(char* into, std::size_t size, std::size_t& count) {
    errno = 0;
    const int result = ::SSL_read_ex(state_->ssl.get(), into, size, &count);
    return result == 1 ? TlsStep::done : state_->after(result);
}

TlsStep TlsStream::write(std::string_view bytes, More more, std::size_t& count) {
    errno = 0;
    state_->wire.more = more == More::follows;
    const int result = ::SSL_write_ex(state_->ssl.get(), bytes.data(), bytes.size(), &count);
    return result == 1 ? TlsStep::done : state_->after(result);
}

bool TlsStream::has_pending() const {
    return ::SSL_has_pending(state_->ssl.get()) == 1;
}

void TlsStream::say_end() {
    if (!state_->ssl || ::SSL_is_init_finished(state_->ssl.get()) != 1) return;
    state_->wire.more = false;
    (void)::SSL_shutdown(state_->ssl.get());
    ::ERR_clear_error();
}

}  // namespace berth::net
