// Wakes every coroutine that waits here. One strand only. Like a condition variable: re-check the state after
// it.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"

#include <boost/asio/steady_timer.hpp>

namespace berth {

class Notifier {
public:
    explicit Notifier(const asio::any_io_executor& executor)
        : timer_(executor, asio::steady_timer::time_point::max()) {}

    void notify_all() { timer_.cancel(); }
    // Returns after the next notify_all(). Cancellation of the caller throws operation_aborted.
    awaitable<> wait();
    // True when notified, false when the deadline passed first.
    awaitable<bool> wait_until(Deadline deadline);

private:
    asio::steady_timer timer_;
};

}  // namespace berth
