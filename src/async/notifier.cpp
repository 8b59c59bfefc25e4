#include "async/notifier.hpp"

namespace berth {

awaitable<> Notifier::wait() {
    auto done = co_await timer_.async_wait(as_tuple);
    (void)done;
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

awaitable<bool> Notifier::wait_until(Deadline deadline) {
    asio::steady_timer limit(co_await asio::this_coro::executor, deadline.time());
    auto race = asio::experimental::make_parallel_group(
        timer_.async_wait(asio::deferred), limit.async_wait(asio::deferred));
    auto finished = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto& [order, notified, passed] = finished;
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    co_return order[0] == 0;
}

}  // namespace berth
