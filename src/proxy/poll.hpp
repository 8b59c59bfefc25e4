// Which of a worker's sockets can go on, asked of the kernel for all of them at once (epoll(7),
// edge-triggered), as a guest of the worker's Asio loop. Asio's own sockets try once more after each read and
// find nothing, a call for each message that this saves: a read that did not fill its space has emptied the
// socket. One worker's thread only.
#pragma once

#include "proxy/stream.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <vector>

namespace berth::proxy {

class PolledSocket;

class Poll {
public:
    // Throws boost::system::system_error when the process has no descriptor left.
    explicit Poll(const Loop& loop);
    Poll(const Poll&) = delete;

    Loop executor() { return descriptor_.get_executor(); }

private:
    friend class PolledSocket;
    error_code add(int socket, PolledSocket& who);
    void forget(int socket, PolledSocket& who);
    void call_soon(PolledSocket& who);

    void turn();
    bool round();
    void call_those_ready();
    void go_on();  // sees to it that there is a next turn
    void wait();

    static constexpr std::size_t kBatch = 64;
    static constexpr int kMostRounds = 16;  // then it is the loop's turn: timers, new connections

    asio::posix::basic_stream_descriptor<Loop> descriptor_;
    std::array<epoll_event, kBatch> batch_{};
    std::size_t next_ = 0;  // of batch_
    std::size_t count_ = 0;
    std::vector<PolledSocket*> ready_;    // whose turn comes without the kernel saying so
    std::vector<PolledSocket*> calling_;  // those of them that are being called
    bool turning_ = false;
    bool waiting_ = false;
    bool posted_ = false;
};

// A connected or connecting stream socket, which it owns. Its user is called from the poll's turns only,
// never from inside a call, and never after close().
class PolledSocket {
public:
    class User {
    public:
        // There may be bytes, or the end, or an error: receive() tells.
        virtual void on_readable() = 0;
        virtual void on_writable() = 0;

    protected:
        ~User() = default;
    };

    // Both outlive it.
    PolledSocket(Poll& poll, User& user) : poll_(poll), user_(user) {}
    PolledSocket(const PolledSocket&) = delete;
    ~PolledSocket() { close(); }

    // Takes `socket`, also when it fails: out of memory or of watches.
    error_code open(int socket);
    bool is_open() const { return socket_ >= 0; }
    int native() const { return socket_; }
    int release();  // the caller's from now on
    void close();

    // Each ends in one call of the user.
    void wait_readable();
    void wait_writable() { waits_writable_ = true; }
    // on_readable() soon, whatever the kernel has: TLS holds bytes back.
    void call_readable();

    // Some bytes into `space`; would_block when there are none, eof after the last one.
    struct Received {
        std::size_t count = 0;
        error_code failure;
    };
    Received receive(asio::mutable_buffer space);
    void drained() { readable_ = ended_; }  // somebody else has read all there was

private:
    friend class Poll;
    void on_events(std::uint32_t events);
    void on_turn();

    Poll& poll_;
    User& user_;
    int socket_ = -1;
    bool readable_ = false;  // the kernel has said so, and it has not been emptied since
    bool ended_ = false;     // so is whatever is read from now on
    bool waits_readable_ = false;
    bool waits_writable_ = false;
    bool listed_ = false;  // among those whom the poll calls soon
};

}  // namespace berth::proxy
