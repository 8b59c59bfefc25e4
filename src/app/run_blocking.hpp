// Runs one coroutine to its end on a loop of its own: for commands, which have nothing else to do.
#pragma once

#include "async/task_scope.hpp"

#include <exception>
#include <optional>

namespace berth::app {

template <class T>
awaitable<> keep_result(awaitable<T> work, std::optional<T>& result) {
    result.emplace(co_await std::move(work));
}

template <class T>
T run_blocking(awaitable<T> work) {
    asio::io_context io(1);
    std::optional<T> result;
    TaskScope scope(io.get_executor(), [](std::string_view, const std::exception_ptr& failure) {
        std::rethrow_exception(failure);
    });
    scope.spawn("command", OnStop::drain, keep_result(std::move(work), result));
    io.run();
    return std::move(result).value();
}

}  // namespace berth::app
