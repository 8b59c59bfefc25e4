// Pauses between tries: 0.5 s, 1 s, 2 s … 30 s, for what is down or busy and nobody waits for.
#pragma once

#include "async/deadline.hpp"

#include <algorithm>
#include <chrono>

namespace berth {

class BackOff {
public:
    awaitable<> wait() {
        const auto now = pause_;
        pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, std::chrono::seconds(30));
        co_await sleep_for(now);
    }

private:
    std::chrono::milliseconds pause_{500};
};

}  // namespace berth
