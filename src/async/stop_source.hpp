// Asks one piece of work to end. One strand only. Asked once, it stays asked.
#pragma once

#include "async/deadline.hpp"

#include <boost/asio/steady_timer.hpp>

namespace berth {

class StopSource {
public:
    explicit StopSource(const asio::any_io_executor& executor)
        : timer_(executor, asio::steady_timer::time_point::max()) {}

    void request() {
        requested_ = true;
        timer_.expires_at(asio::steady_timer::time_point::min());  // ends every wait, also those to come
    }
    bool requested() const { return requested_; }
    asio::steady_timer& timer() { return timer_; }

private:
    asio::steady_timer timer_;
    bool requested_ = false;
};

// Runs `work` until it ends or `source` asks; then `work` is cancelled, awaited, and `stopped` is the answer.
template <class T>
awaitable<Result<T>> stoppable(StopSource& source, Error stopped, awaitable<Result<T>> work) {
    const auto executor = co_await asio::this_coro::executor;
    auto race = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(work), asio::deferred), source.timer().async_wait(asio::deferred));
    auto finished = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, failure, result, timer_error] = finished;
    if (source.requested()) co_return std::move(stopped);
    if (failure) std::rethrow_exception(failure);
    co_return std::move(result);
}

}  // namespace berth
