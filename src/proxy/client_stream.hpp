// The client's end of a session: its socket, and TLS where the listener speaks it. Reads are waited for on
// the worker's loop; sending is tried at once, as everywhere in this room (stream.hpp). A handler is never
// called from inside the call that it was given to.
#pragma once

#include "net/tls.hpp"
#include "proxy/stream.hpp"

#include <boost/asio/post.hpp>

#include <memory>
#include <optional>

namespace berth::proxy {

class ClientStream {
public:
    // `tls` null: plain.
    ClientStream(Socket socket, std::shared_ptr<net::TlsContext> tls);

    bool is_tls() const { return tls_.has_value(); }
    int native() { return socket_.native_handle(); }
    Loop executor() { return socket_.get_executor(); }

    // handler(error_code), once TLS is agreed upon.
    template <class Handler>
    void handshake(Handler handler) {
        const auto step = tls_->handshake();
        if (wait_for(step, [this, handler](error_code failure) mutable {
                failure ? handler(failure) : handshake(std::move(handler));
            }))
            return;
        asio::post(executor(), [handler = std::move(handler), failure = failure_of(step)]() mutable {
            handler(failure);
        });
    }

    // handler(error_code, std::size_t): some bytes into `space`, or why there are none.
    template <class Handler>
    void read(asio::mutable_buffer space, Handler handler) {
        if (!tls_) return socket_.async_read_some(space, std::move(handler));
        if (!tls_->has_pending()) return wait_to_read(space, std::move(handler));
        asio::post(executor(), [this, space, handler = std::move(handler)]() mutable {
            read_secured(space, std::move(handler));
        });
    }

    // Sends what can be sent now. some: wait_writable(), then call again.
    Sent send(Slices& slices) { return tls_ ? send_secured(slices) : slices.send(native()); }
    template <class Handler>
    void wait_writable(Handler handler) {
        socket_.async_wait(Socket::wait_write, std::move(handler));
    }
    void end();  // says that no more comes from us; the client may go on sending
    void close();

private:
    template <class Handler>
    void wait_to_read(asio::mutable_buffer space, Handler handler) {
        socket_.async_wait(
            Socket::wait_read, [this, space, handler = std::move(handler)](error_code failure) mutable {
                failure ? handler(failure, 0) : read_secured(space, std::move(handler));
            });
    }
    template <class Handler>
    void read_secured(asio::mutable_buffer space, Handler handler) {
        if (!socket_.is_open()) return handler(asio::error::operation_aborted, 0);
        std::size_t count = 0;
        const auto step = fill(space, count);
        if (count > 0) return handler(error_code(), count);
        const auto again = [this, space, handler](error_code failure) mutable {
            failure ? handler(failure, 0) : read_secured(space, std::move(handler));
        };
        if (!wait_for(step, again)) handler(failure_of(step), 0);
    }
    template <class Handler>
    bool wait_for(net::TlsStep step, Handler handler) {
        const bool reads = step == net::TlsStep::wants_read;
        if (!reads && step != net::TlsStep::wants_write) return false;
        socket_.async_wait(reads ? Socket::wait_read : Socket::wait_write, std::move(handler));
        return true;
    }
    static error_code failure_of(net::TlsStep step);
    net::TlsStep fill(asio::mutable_buffer space, std::size_t& count);
    Sent send_secured(Slices& slices);

    Socket socket_;
    std::optional<net::TlsStream> tls_;
};

}  // namespace berth::proxy
