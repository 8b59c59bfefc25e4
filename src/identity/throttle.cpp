#include "identity/throttle.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

using namespace std::chrono_literals;

constexpr auto kLongestWait = 300s;
constexpr auto kForgottenAfter = 1h;
constexpr std::uint32_t kAddressFactor = 10;

std::string account_key(std::string_view account) {
    return "account:" + std::string(account.substr(0, 255));
}
std::string address_key(std::string_view address) {
    return "address:" + std::string(address.substr(0, 64));
}

}  // namespace

std::chrono::seconds Throttle::wait_of(
    const std::string& key, std::uint32_t free, Clock::time_point now) const {
    const auto found = index_.find(key);
    if (found == index_.end()) return 0s;
    const auto& entry = *found->second;
    if (entry.failures < free || now - entry.last >= kForgottenAfter) return 0s;
    const auto exponent = std::min(entry.failures - free, std::uint32_t{20});
    const auto delay =
        std::min<std::chrono::seconds>(kLongestWait, std::chrono::seconds(std::int64_t{1} << exponent));
    const auto until = entry.last + delay;
    return until <= now ? 0s : std::chrono::ceil<std::chrono::seconds>(until - now);
}

std::chrono::seconds Throttle::wait(
    std::string_view account, std::string_view address, Clock::time_point now) const {
    return std::max(
        wait_of(account_key(account), free_tries_, now),
        wait_of(address_key(address), free_tries_ * kAddressFactor, now));
}

void Throttle::begin_try(std::string_view account, std::string_view address, Clock::time_point now) {
    count(account_key(account), now);
    count(address_key(address), now);
}

void Throttle::succeeded(std::string_view account, std::string_view address) {
    if (const auto found = index_.find(account_key(account)); found != index_.end()) {
        entries_.erase(found->second);
        index_.erase(found);
    }
    forgive(address_key(address));
}

void Throttle::take_back(std::string_view account, std::string_view address) {
    forgive(account_key(account));
    forgive(address_key(address));
}

void Throttle::count(std::string key, Clock::time_point now) {
    if (const auto found = index_.find(key); found != index_.end()) {
        auto& entry = *found->second;
        if (now - entry.last >= kForgottenAfter) entry.failures = 0;
        ++entry.failures;
        entry.last = now;
        entries_.splice(entries_.end(), entries_, found->second);
        return;
    }
    while (entries_.size() >= max_keys_) {
        index_.erase(entries_.front().key);
        entries_.pop_front();
    }
    entries_.push_back({key, 1, now});
    index_.emplace(std::move(key), std::prev(entries_.end()));
}

void Throttle::forgive(const std::string& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    if (--found->second->failures > 0) return;
    entries_.erase(found->second);
    index_.erase(found);
}

}  // namespace berth::identity
