#include "async/blocking_pool.hpp"
#include "async/deadline.hpp"
#include "async/notifier.hpp"
#include "async/task_scope.hpp"

#include <boost/asio/co_spawn.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace berth {
namespace {

using namespace std::chrono_literals;
enum class TestErrc { late = 1 };

struct Fixture : testing::Test {
    asio::io_context io;
    std::vector<std::string> failed;
    TaskScope scope{
        io.get_executor(), [this](std::string_view task, std::exception_ptr) { failed.emplace_back(task); }};

    void stop_and_run() {
        asio::co_spawn(io, scope.stop(10ms), [](std::exception_ptr) {
        });  // lint: coroutine-ok the test is the outermost owner
        io.run();
    }
};

awaitable<> wait_for_ever(bool& ended) {
    struct Note {
        bool& flag;
        ~Note() { flag = true; }
    } note{ended};
    co_await sleep_for(1h);
}

awaitable<> fail() {
    throw std::runtime_error("broken");
    co_return;
}

TEST_F(Fixture, StopEndsWhatStillRuns) {
    bool ended = false;
    scope.spawn("sleeper", OnStop::cancel, wait_for_ever(ended));
    stop_and_run();
    EXPECT_TRUE(ended);
    EXPECT_EQ(scope.live(), 0U);
    EXPECT_TRUE(failed.empty());
}

TEST_F(Fixture, ReportsTheTaskThatFailed) {
    scope.spawn("breaker", OnStop::cancel, fail());
    stop_and_run();
    EXPECT_EQ(failed, std::vector<std::string>{"breaker"});
}

awaitable<Result<int>> answer_after(std::chrono::milliseconds span) {
    co_await sleep_for(span);
    co_return 42;
}

awaitable<> race(int& early, bool& late) {
    const Error too_late{asio::error::timed_out, "late"};
    auto first = co_await with_deadline(Deadline::in(10s), too_late, answer_after(1ms));
    early = *first;
    auto second = co_await with_deadline(Deadline::in(1ms), too_late, answer_after(10s));
    late = !second && second.error().message == "late";
}

TEST_F(Fixture, DeadlineAnswersLateOrNotAtAll) {
    int early = 0;
    bool late = false;
    scope.spawn("race", OnStop::cancel, race(early, late));
    io.run();
    EXPECT_EQ(early, 42);
    EXPECT_TRUE(late);
}

awaitable<> block(BlockingPool& pool, std::thread::id& there, std::thread::id& back) {
    auto id = co_await pool.run([] { return std::this_thread::get_id(); });
    there = *id;
    back = std::this_thread::get_id();
}

TEST_F(Fixture, BlockingWorkRunsElsewhereAndComesBack) {
    BlockingPool pool(1, 4);
    std::thread::id there;
    std::thread::id back;
    scope.spawn("block", OnStop::cancel, block(pool, there, back));
    io.run();
    EXPECT_NE(there, std::this_thread::get_id());
    EXPECT_EQ(back, std::this_thread::get_id());
}

awaitable<> wait_on(Notifier& notifier, int& woken) {
    co_await notifier.wait();
    ++woken;
}

awaitable<> wake(Notifier& notifier) {
    co_await sleep_for(1ms);
    notifier.notify_all();
}

TEST_F(Fixture, NotifierWakesEveryWaiter) {
    Notifier notifier(io.get_executor());
    int woken = 0;
    scope.spawn("a", OnStop::cancel, wait_on(notifier, woken));
    scope.spawn("b", OnStop::cancel, wait_on(notifier, woken));
    scope.spawn("wake", OnStop::cancel, wake(notifier));
    io.run();
    EXPECT_EQ(woken, 2);
}

TEST_F(Fixture, ACancelledWaitIsNotANotification) {
    Notifier notifier(io.get_executor());
    int woken = 0;
    scope.spawn("a", OnStop::cancel, wait_on(notifier, woken));
    stop_and_run();
    EXPECT_EQ(woken, 0);
}

}  // namespace
}  // namespace berth
