#include "api/idempotency.hpp"

#include <functional>

namespace berth::api {
namespace {

constexpr std::chrono::hours kLife{24};
constexpr std::size_t kMost = 4096;
constexpr std::size_t kLargest = 64U * 1024U;  // of a body that is kept

}  // namespace

void IdempotencyKeys::forget_old(Clock::time_point now) {
    while (!order_.empty() && (order_.size() >= kMost || now - order_.front().first > kLife)) {
        const auto at = kept_.find(order_.front().second);
        if (at != kept_.end() && at->second.at == order_.front().first) kept_.erase(at);
        order_.pop_front();
    }
}

IdempotencyKeys::State IdempotencyKeys::begin(
    const std::string& scope, const std::string& key, const std::string& body, Clock::time_point now) {
    forget_old(now);
    const auto name = name_of(scope, key);
    const std::size_t hash = std::hash<std::string>{}(body);
    const auto [at, fresh] = kept_.try_emplace(name, Kept{hash, now, std::nullopt});
    if (!fresh) {
        if (at->second.body != hash) return State::other;
        return at->second.response ? State::repeated : State::under_way;
    }
    order_.emplace_back(now, name);
    return State::fresh;
}

const http::Response& IdempotencyKeys::found(const std::string& scope, const std::string& key) const {
    return kept_.at(name_of(scope, key)).response.value();
}

void IdempotencyKeys::done(const std::string& scope, const std::string& key, const http::Response& response) {
    const auto at = kept_.find(name_of(scope, key));
    if (at == kept_.end()) return;
    const bool success = response.status >= 200 && response.status < 300;
    if (success && !response.stream && response.body.size() <= kLargest)
        at->second.response = response;
    else
        kept_.erase(at);
}

}  // namespace berth::api
