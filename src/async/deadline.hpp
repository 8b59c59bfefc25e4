// The moment after which nobody wants the answer. Passed down by value and only ever made earlier.
#pragma once

#include "async/awaitable.hpp"
#include "base/result.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>

namespace berth {

class Deadline {
public:
    using Clock = std::chrono::steady_clock;

    static Deadline in(std::chrono::milliseconds span) { return Deadline(Clock::now() + span); }
    static Deadline never() { return Deadline(Clock::time_point::max()); }

    Deadline earliest(Deadline other) const { return Deadline(std::min(time_, other.time_)); }
    Clock::time_point time() const { return time_; }
    bool passed() const { return Clock::now() >= time_; }
    std::chrono::milliseconds left() const {
        return std::max(
            std::chrono::milliseconds{0},
            std::chrono::duration_cast<std::chrono::milliseconds>(time_ - Clock::now()));
    }

private:
    explicit Deadline(Clock::time_point time) : time_(time) {}
    Clock::time_point time_;
};

// Runs `work` until it ends or the deadline passes; then `work` is cancelled and `late` is the answer.
// Not `work || timer`: operator|| waits for one success, so an exception in work would be reported as "late".
template <class T>
awaitable<Result<T>> with_deadline(Deadline deadline, Error late, awaitable<Result<T>> work) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, deadline.time());
    auto race = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(work), asio::deferred), timer.async_wait(asio::deferred));
    auto finished = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, failure, result, timer_error] = finished;

    const bool timer_fired = order[0] == 1 && !timer_error;
    if (timer_fired) co_return std::move(late);
    if (failure) std::rethrow_exception(failure);
    co_return std::move(result);
}

// Suspends the calling coroutine; cancellation ends it with operation_aborted.
awaitable<> sleep_for(std::chrono::milliseconds span);

}  // namespace berth
