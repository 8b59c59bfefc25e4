// Work that must come to its end once it has begun, whoever stops waiting for it: a request that makes
// something at a backend, where half an answer would leave us not knowing.
#pragma once

#include "async/awaitable.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

namespace berth {

// Runs `work` out of reach of the caller's cancellation and waits for it. A caller that was cancelled
// meanwhile gets the answer and ends with operation_aborted at its next wait. So `work` must bring its own
// deadline.
template <class T>
awaitable<T> shielded(awaitable<T> work) {
    const auto executor = co_await asio::this_coro::executor;
    const asio::cancellation_slot out_of_reach;
    co_return co_await asio::co_spawn(
        executor, std::move(work), asio::bind_cancellation_slot(out_of_reach, asio::use_awaitable));
}

}  // namespace berth
