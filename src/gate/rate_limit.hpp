// How many requests a key (an account, an address) may make: a burst at once, then so many a second. Kept as
// one moment a key: when all that it has taken would be paid back (the generic cell rate algorithm). Pure:
// time is passed in. Memory is bounded: beyond `max_keys` those that owe nothing are forgotten, then all.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace berth::gate {

class RateLimit {
public:
    using Clock = std::chrono::steady_clock;

    // `per_second` 0: no limit.
    RateLimit(std::uint32_t per_second, std::uint32_t burst, std::size_t max_keys = 20'000);

    // Takes one; false when there is none left now.
    bool take(const std::string& key, Clock::time_point now);
    std::size_t keys() const { return paid_back_.size(); }

private:
    void make_room(Clock::time_point now);

    Clock::duration each_{0};
    Clock::duration most_{0};
    std::size_t max_keys_;
    std::unordered_map<std::string, Clock::time_point> paid_back_;
};

}  // namespace berth::gate
