// How long to wait before a process that has ended is started again. Users wait for it, so mostly not at all;
// only one that ends again and again right after its start is given growing pauses, so that a proxy that
// cannot run does not keep a core busy. Pure: the caller says how long it lived.
#pragma once

#include <algorithm>
#include <chrono>

namespace berth::app {

class RestartPause {
public:
    using milliseconds = std::chrono::milliseconds;

    // It lived for so long; 0: it could not be started.
    milliseconds after(std::chrono::steady_clock::duration lived) {
        if (lived >= kProven) ends_ = 0;
        if (ends_ < kAtOnce) {
            ++ends_;
            next_ = kFirst;
            return milliseconds{0};
        }
        const auto now = next_;
        next_ = std::min(next_ * 2, kLongest);
        return now;
    }

private:
    static constexpr std::chrono::seconds kProven{10};  // who lived so long ended for a new reason
    static constexpr int kAtOnce = 2;
    static constexpr milliseconds kFirst{100};
    static constexpr milliseconds kLongest{1000};

    int ends_ = 0;
    milliseconds next_ = kFirst;
};

}  // namespace berth::app
