// For tests: runs a coroutine to its end on an io_context of its own, from a test body that is none.
#pragma once

#include "async/task_scope.hpp"
#include "base/result.hpp"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace berth::spawn::test {

class Harness {
public:
    Harness() = default;
    Harness(const Harness&) = delete;
    ~Harness() { finish(); }

    // Ends what still runs. What the tasks refer to must outlive this call.
    void finish() {
        bool stopped = false;
        supervisor_.spawn("stop", OnStop::cancel, stop_then_note(&scope, &stopped));
        run_until([&] { return stopped && supervisor_.live() == 0; });
    }

    // The answer of `work`. Throws when it threw, or took longer than two minutes.
    template <class T>
    T run(awaitable<T> work) {
        std::optional<T> answer;
        scope.spawn("test", OnStop::cancel, keep(std::move(work), &answer));
        if (!run_until([&] { return answer.has_value() || failure_; }))
            throw std::runtime_error("not done in two minutes");
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
        return std::move(*answer);
    }
    // Lets the background tasks go on until `done`; false when that took longer than `limit`.
    template <class Done>
    bool run_until(Done done, std::chrono::seconds limit = std::chrono::seconds{120}) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            if (io.stopped()) io.restart();
            io.run_one_for(std::chrono::milliseconds{20});
        }
        return true;
    }

    asio::io_context io;
    TaskScope scope{
        io.get_executor(), [this](std::string_view, std::exception_ptr failure) { failure_ = failure; }};

private:
    template <class T>
    static awaitable<> keep(awaitable<T> work, std::optional<T>* answer) {
        auto value = co_await std::move(work);
        answer->emplace(std::move(value));
    }
    static awaitable<> stop_then_note(TaskScope* scope, bool* stopped) {
        co_await scope->stop(std::chrono::milliseconds{10});
        *stopped = true;
    }

    std::exception_ptr failure_;
    TaskScope supervisor_{io.get_executor(), [](std::string_view, std::exception_ptr) {}};
};

}  // namespace berth::spawn::test
