// For tests: runs coroutines on an io_context of their own until all have ended. An exception from one is
// rethrown.
#pragma once

#include "async/awaitable.hpp"

#include <boost/asio/co_spawn.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace berth {

template <class T>
T run_to_end(awaitable<T> work) {
    asio::io_context context;
    std::optional<T> answer;
    asio::co_spawn(context, std::move(work), [&](const std::exception_ptr& failure, T result) {
        if (failure) std::rethrow_exception(failure);
        answer = std::move(result);
    });
    context.run();
    return std::move(*answer);
}

// All of them at once, begun in their order.
inline void run_all_to_end(std::vector<awaitable<>> works) {
    asio::io_context context;
    for (auto& work : works)
        asio::co_spawn(context, std::move(work), [](const std::exception_ptr& failure) {
            if (failure) std::rethrow_exception(failure);
        });
    context.run();
}

}  // namespace berth
