// Threads for what blocks: argon2, getpwnam, fork/exec, file reads. The work runs there, the caller goes on
// where it was. The queue is bounded: more than `queue_limit` waiting works are refused at once.
#pragma once

#include "async/awaitable.hpp"
#include "base/result.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

namespace berth {

enum class PoolErrc { overloaded = 1 };
constexpr std::string_view text_of(PoolErrc) {
    return "too much blocking work is waiting";
}
BERTH_ERROR_CATEGORY(PoolErrc, "blocking_pool")

class BlockingPool {
public:
    BlockingPool(std::size_t threads, std::size_t queue_limit) : pool_(threads), limit_(queue_limit) {}
    ~BlockingPool() { pool_.join(); }

    // Runs `work()` on a pool thread. An exception from it is rethrown in the caller. Errors:
    // PoolErrc::overloaded. The work cannot be cancelled; a cancelled caller leaves it to finish, so it must
    // own what it touches.
    template <class Work, class T = std::invoke_result_t<Work>>
    awaitable<Result<T>> run(Work work);

private:
    asio::thread_pool pool_;
    std::size_t limit_;
    std::atomic<std::size_t> waiting_{0};
};

template <class Work, class T>
awaitable<Result<T>> BlockingPool::run(Work work) {
    if (waiting_.fetch_add(1) >= limit_) {
        waiting_.fetch_sub(1);
        // Named, since T may be a Result itself.
        co_return Result<T>(
            boost::system::in_place_error,
            Error{PoolErrc::overloaded, "The hub is busy; try again in a moment."});
    }
    struct Outcome {
        std::optional<T> value;
        std::exception_ptr failure;
    };
    auto outcome = std::make_shared<Outcome>();
    auto shared_work = std::make_shared<Work>(std::move(work));
    auto* self = this;
    auto initiate = [self, outcome, shared_work](auto handler) {
        auto executor = asio::get_associated_executor(handler);
        auto guard = asio::make_work_guard(executor);
        auto shared_handler = std::make_shared<decltype(handler)>(std::move(handler));
        asio::post(self->pool_, [self, outcome, shared_work, executor, guard, shared_handler]() mutable {
            try {
                outcome->value.emplace((*shared_work)());
            } catch (...) {  // carried to the caller, who rethrows it
                outcome->failure = std::current_exception();
            }
            self->waiting_.fetch_sub(1);
            asio::post(executor, [shared_handler]() mutable { std::move (*shared_handler)(); });
        });
    };
    co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(initiate, asio::use_awaitable);
    if (outcome->failure) std::rethrow_exception(outcome->failure);
    co_return Result<T>(boost::system::in_place_value, std::move(*outcome->value));
}

}  // namespace berth
