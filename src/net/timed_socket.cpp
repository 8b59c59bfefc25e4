#include "net/timed_socket.hpp"

#include <boost/asio/steady_timer.hpp>

namespace berth::net {

struct TimedSocket::State : std::enable_shared_from_this<State> {
    using Clock = Deadline::Clock;
    static constexpr auto kNever = Clock::time_point::max();

    explicit State(Socket connected) : socket(std::move(connected)), timer(socket.get_executor()) {}

    void begin_wait(Deadline until) {
        deadline = until.time();
        expired = false;
        if (deadline != kNever && (!armed || armed_for > deadline)) arm();
    }
    void end_wait() { deadline = kNever; }

    void arm() {
        armed = true;
        armed_for = deadline;
        timer.expires_at(deadline);
        timer.async_wait([self = shared_from_this(), wait = ++waits](error_code cancelled) {
            if (!cancelled && wait == self->waits) self->fire();
        });
    }

    void fire() {
        armed = false;
        if (deadline == kNever) return;  // nobody waits; the next wait arms it
        if (Clock::now() < deadline) return arm();
        expired = true;
        error_code ignored;  // the wait ends either way
        socket.cancel(ignored);
    }

    Socket socket;
    asio::steady_timer timer;
    Clock::time_point deadline = kNever;
    Clock::time_point armed_for = kNever;
    std::uint64_t waits = 0;
    std::uint64_t watches = 0;
    bool armed = false;
    bool expired = false;
};

TimedSocket::TimedSocket(Socket socket) : state_(std::make_shared<State>(std::move(socket))) {
    error_code ignored;  // a closed socket fails in the first read
    state_->socket.non_blocking(true, ignored);
}

TimedSocket::~TimedSocket() {
    stop_watching();
    state_->end_wait();
    ++state_->waits;
    state_->timer.cancel();
    error_code ignored;  // the descriptor is gone whatever close() says
    state_->socket.close(ignored);
}

Socket& TimedSocket::socket() {
    return state_->socket;
}

awaitable<Transfer> TimedSocket::read_some(asio::mutable_buffer buffer, Deadline deadline) {
    auto& state = *state_;
    state.begin_wait(deadline);
    auto done = co_await state.socket.async_read_some(buffer, as_tuple);
    auto& [failure, bytes] = done;
    state.end_wait();
    Transfer transfer{failure, bytes};
    if (failure == asio::error::operation_aborted && state.expired) transfer.failure = asio::error::timed_out;
    co_return transfer;
}

bool TimedSocket::try_write(Pieces& pieces, error_code& failure) {
    for (;;) {
        std::array<asio::const_buffer, 3> buffers;
        std::size_t left = 0;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            buffers[i] = asio::buffer(pieces[i]);
            left += pieces[i].size();
        }
        if (left == 0) return true;
        std::size_t written = state_->socket.write_some(buffers, failure);
        if (failure == asio::error::would_block || failure == asio::error::try_again) {
            failure = {};
            return false;
        }
        if (failure) return true;
        for (auto& piece : pieces) {
            const auto taken = std::min(piece.size(), written);
            piece.remove_prefix(taken);
            written -= taken;
        }
    }
}

awaitable<error_code> TimedSocket::write(Pieces pieces, std::chrono::milliseconds stall, Deadline deadline) {
    auto& state = *state_;
    error_code failure;
    while (!try_write(pieces, failure)) {
        state.begin_wait(Deadline::in(stall).earliest(deadline));
        auto done = co_await state.socket.async_wait(asio::socket_base::wait_write, as_tuple);
        auto& [wait_failure] = done;
        state.end_wait();
        if (wait_failure) {
            const bool late = wait_failure == asio::error::operation_aborted && state.expired;
            co_return late ? error_code(asio::error::timed_out) : wait_failure;
        }
    }
    co_return failure;
}

bool TimedSocket::is_spent() {
    char byte = 0;
    error_code failure;
    (void)state_->socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, failure);
    return failure != asio::error::would_block && failure != asio::error::try_again;
}

void TimedSocket::watch_for_close(std::function<void()> gone) {
    auto on_readable =
        [state = state_, watch = ++state_->watches, gone = std::move(gone)](error_code failure) {
            if (failure || watch != state->watches) return;
            char byte = 0;
            error_code peeked;
            const auto bytes =
                state->socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, peeked);
            if (peeked == asio::error::would_block || bytes > 0) return;
            gone();
        };
    state_->socket.async_wait(asio::socket_base::wait_read, std::move(on_readable));
}

void TimedSocket::stop_watching() {
    ++state_->watches;
}

void TimedSocket::cancel() {
    error_code ignored;  // nothing was waiting
    state_->socket.cancel(ignored);
}

void TimedSocket::shutdown_send() {
    error_code ignored;  // the peer may have closed already
    state_->socket.shutdown(asio::socket_base::shutdown_send, ignored);
}

}  // namespace berth::net
