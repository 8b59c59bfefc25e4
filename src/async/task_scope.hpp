// Owns background coroutines: whoever starts work here stops it here. Members must be called on the strand
// (the hub runs its io_context on one thread, which is that strand). stop() must finish before destruction;
// destroying a scope with live tasks aborts the process.
#pragma once

#include "async/awaitable.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <string>
#include <string_view>

namespace berth {

enum class OnStop {
    cancel,  // ended by terminal cancellation
    drain,   // the task opted in to cancellation_type::total and ends itself within the grace
};

class TaskScope {
public:
    using FailureHandler = std::function<void(std::string_view task, std::exception_ptr failure)>;

    // `executor` must serialise: a strand, or an io_context that one thread runs.
    TaskScope(asio::any_io_executor executor, FailureHandler on_failure);
    TaskScope(const TaskScope&) = delete;
    ~TaskScope();

    // Starts `task`. Once stopping only a draining one, which then is not told: it looks for itself; after
    // the grace none. An exception other than cancellation goes to the failure handler.
    void spawn(std::string name, OnStop on_stop, awaitable<> task);
    // Tells every task, waits `grace` for the draining ones, then ends and awaits all.
    awaitable<> stop(std::chrono::milliseconds grace);

    std::size_t live() const { return live_.size(); }
    const asio::any_io_executor& executor() const { return executor_; }

private:
    struct Task {
        std::string name;
        OnStop on_stop;
        asio::cancellation_signal cancel;

        Task(std::string task_name, OnStop stop) : name(std::move(task_name)), on_stop(stop) {}
    };
    void emit_all(asio::cancellation_type drain_signal);
    awaitable<> wait_until_empty(std::chrono::steady_clock::time_point limit);

    asio::any_io_executor executor_;
    FailureHandler on_failure_;
    std::list<Task> live_;
    asio::steady_timer drained_;  // cancelled when live_ becomes empty
    enum class Phase { open, grace, ending } phase_ = Phase::open;
};

}  // namespace berth
