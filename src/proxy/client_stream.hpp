// The client's end of a session: its socket, and TLS where the listener speaks it. Reads are waited for in
// the worker's poll; sending is tried at once, as everywhere in this room (stream.hpp). Its user is never
// called from inside a call.
#pragma once

#include "net/tls.hpp"
#include "proxy/poll.hpp"

#include <memory>
#include <optional>

namespace berth::proxy {

class ClientStream final : private PolledSocket::User {
public:
    class User {
    public:
        virtual void on_handshake(error_code failure) = 0;
        // `count` bytes are in the space that was given, or `failure` says why there are none.
        virtual void on_client_read(error_code failure, std::size_t count) = 0;
        virtual void on_client_writable() = 0;

    protected:
        ~User() = default;
    };

    ClientStream(Poll& poll, User& user) : user_(user), socket_(poll, *this) {}

    // Takes `socket`, also when it fails. `tls` null: plain.
    error_code open(int socket, std::shared_ptr<net::TlsContext> tls);
    bool is_tls() const { return tls_.has_value(); }
    int native() const { return socket_.native(); }

    // One of the two at a time.
    void handshake();                       // ends in on_handshake
    void read(asio::mutable_buffer space);  // ends in on_client_read
    // Sends what can be sent now. some: wait_writable(), then call again.
    Sent send(Slices& slices) { return tls_ ? send_secured(slices) : slices.send(native()); }
    void wait_writable();  // ends in on_client_writable
    void end();            // says that no more comes from us; the client may go on sending
    void close() { socket_.close(); }

private:
    void on_readable() override { go_on(); }
    void on_writable() override;
    void go_on();
    void go_on_with_handshake();
    void go_on_reading();
    bool wait_for(net::TlsStep step);
    net::TlsStep fill(std::size_t& count);
    Sent send_secured(Slices& slices);

    User& user_;
    std::optional<net::TlsStream> tls_;
    PolledSocket socket_;
    asio::mutable_buffer space_;
    bool shaking_hands_ = false;
    bool step_needs_writing_ = false;
    bool user_waits_ = false;  // for on_client_writable
};

}  // namespace berth::proxy
