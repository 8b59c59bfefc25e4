// Two pieces of work at once, as the two directions of a relay are.
#pragma once

#include "async/awaitable.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

namespace berth {

// Runs both until both have ended. Cancellation reaches both; what either threw is thrown then, the first one
// first.
inline awaitable<> both(awaitable<> one, awaitable<> other) {
    const auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(one), asio::deferred),
        asio::co_spawn(executor, std::move(other), asio::deferred));
    auto finished = co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    auto& [order, first, second] = finished;
    if (first) std::rethrow_exception(first);
    if (second) std::rethrow_exception(second);
}

}  // namespace berth
