// A connected socket on which every wait has a deadline, with one timer for the whole connection: the timer
// is armed for the earliest moment that could matter and re-checks when it fires, so a quick exchange never
// touches it. Owned by the coroutine of its connection; one read or write at a time; lives on its socket's
// executor.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "net/listener.hpp"

#include <boost/asio/buffer.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string_view>

namespace berth::net {

struct Transfer {
    error_code
        failure;  // timed_out when the deadline passed, operation_aborted when the coroutine was cancelled
    std::size_t bytes = 0;
};

class TimedSocket {
public:
    using Pieces = std::array<std::string_view, 3>;  // written one after the other; empty ones are left out

    explicit TimedSocket(Socket socket);
    TimedSocket(const TimedSocket&) = delete;
    ~TimedSocket();  // closes

    Socket& socket();
    // Some bytes into `buffer`. The peer's end is asio::error::eof.
    awaitable<Transfer> read_some(asio::mutable_buffer buffer, Deadline deadline);
    // Writes what the socket takes at once, with one gather write, and takes that off `pieces`. True: all of
    // it, or a failure.
    bool try_write(Pieces& pieces, error_code& failure);
    // All of `pieces`; `stall` is how long the peer may take nothing, `deadline` the end of it all.
    awaitable<error_code> write(
        Pieces pieces, std::chrono::milliseconds stall, Deadline deadline = Deadline::never());
    // True when the peer has closed, or sent bytes nobody asked for: a pooled connection is no longer usable
    // then.
    bool is_spent();
    // Calls `gone` once when the peer closes while nobody reads. Bytes that arrive end the watch.
    // stop_watching(), a later read, and destruction end it too.
    void watch_for_close(std::function<void()> gone);
    void stop_watching();
    // Ends the waits in progress with operation_aborted.
    void cancel();
    // Says to the peer that no more comes; it may go on sending.
    void shutdown_send();

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the timer's handler
};

}  // namespace berth::net
