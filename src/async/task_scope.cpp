#include "async/task_scope.hpp"

#include "async/deadline.hpp"
#include "base/assert.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>

namespace berth {

bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {  // not ours to judge: the caller's handler gets it
        return false;
    }
}

awaitable<> sleep_for(std::chrono::milliseconds span) {
    asio::steady_timer timer(co_await asio::this_coro::executor, span);
    co_await timer.async_wait(asio::use_awaitable);
}

TaskScope::TaskScope(asio::any_io_executor executor, FailureHandler on_failure)
    : executor_(std::move(executor)), on_failure_(std::move(on_failure)), drained_(executor_) {}

TaskScope::~TaskScope() {
    BERTH_ASSERT(live_.empty());
}

void TaskScope::spawn(std::string name, OnStop on_stop, awaitable<> task) {
    if (phase_ == Phase::ending || (phase_ == Phase::grace && on_stop == OnStop::cancel)) return;
    const auto it = live_.emplace(live_.end(), std::move(name), on_stop);
    asio::co_spawn(
        executor_,
        std::move(task),
        asio::bind_cancellation_slot(
            it->cancel.slot(), asio::bind_executor(executor_, [this, it](const std::exception_ptr& failure) {
                const std::string task_name = it->name;
                live_.erase(it);  // with its signal; co_spawn touches the slot no more
                if (live_.empty()) drained_.cancel();
                if (failure && !is_cancellation(failure)) on_failure_(task_name, failure);
            })));
}

void TaskScope::emit_all(asio::cancellation_type drain_signal) {
    for (auto it = live_.begin(); it != live_.end();) {
        auto& task = *it++;  // a task may end, and leave the list, while it is being told
        task.cancel.emit(task.on_stop == OnStop::drain ? drain_signal : asio::cancellation_type::terminal);
    }
}

awaitable<> TaskScope::wait_until_empty(std::chrono::steady_clock::time_point limit) {
    while (!live_.empty() && std::chrono::steady_clock::now() < limit) {
        drained_.expires_at(limit);
        auto done = co_await drained_.async_wait(as_tuple);
        (void)done;
    }
}

awaitable<> TaskScope::stop(std::chrono::milliseconds grace) {
    phase_ = Phase::grace;
    emit_all(asio::cancellation_type::total);
    co_await wait_until_empty(std::chrono::steady_clock::now() + grace);
    phase_ = Phase::ending;
    // A signal that comes before an operation starts is lost, so it is repeated until the task is gone.
    while (!live_.empty()) {
        emit_all(asio::cancellation_type::terminal);
        co_await wait_until_empty(std::chrono::steady_clock::now() + std::chrono::milliseconds{50});
    }
}

}  // namespace berth
