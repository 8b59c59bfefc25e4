#include "gate/rate_limit.hpp"

#include <algorithm>

namespace berth::gate {

RateLimit::RateLimit(std::uint32_t per_second, std::uint32_t burst, std::size_t max_keys)
    : max_keys_(max_keys) {
    if (per_second == 0) return;
    each_ = std::chrono::duration_cast<Clock::duration>(std::chrono::seconds(1)) / per_second;
    most_ = each_ * burst;
}

bool RateLimit::take(const std::string& key, Clock::time_point now) {
    if (each_.count() == 0) return true;
    const auto found = paid_back_.find(key);
    const auto owed_until = found == paid_back_.end() ? now : std::max(found->second, now);
    const auto then = owed_until + each_;
    if (then - now > most_) return false;
    if (found != paid_back_.end()) {
        found->second = then;
    } else {
        if (paid_back_.size() >= max_keys_) make_room(now);
        paid_back_.emplace(key, then);
    }
    return true;
}

void RateLimit::make_room(Clock::time_point now) {
    std::erase_if(paid_back_, [now](const auto& each) { return each.second <= now; });
    if (paid_back_.size() >= max_keys_) paid_back_.clear();
}

}  // namespace berth::gate
