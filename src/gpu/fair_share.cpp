#include "gpu/fair_share.hpp"

#include <algorithm>
#include <cmath>

namespace berth::gpu {
namespace {

constexpr double kLeastWeight = 0.001;
constexpr double kRescaleAfterHalfLives = 30;

template <class Accounts, class Key>
double share_in(const Accounts& accounts, const Key& key) {
    const auto at = accounts.find(key);
    return at == accounts.end() ? 0 : at->second.scaled / at->second.weight;
}

template <class Accounts, class Key>
double scaled_in(const Accounts& accounts, const Key& key) {
    const auto at = accounts.find(key);
    return at == accounts.end() ? 0 : at->second.scaled;
}

template <class Accounts, class Key>
double weight_in(const Accounts& accounts, const Key& key) {
    const auto at = accounts.find(key);
    return at == accounts.end() ? 1 : at->second.weight;
}

double half_lives(Duration passed, Duration half_life) {
    return static_cast<double>(passed.count()) /
           static_cast<double>(std::max<std::int64_t>(half_life.count(), 1));
}

}  // namespace

void FairShare::set_weight(UserId user, double weight) {
    users_[user].weight = std::max(weight, kLeastWeight);
}

void FairShare::set_weight(const std::string& group, double weight) {
    groups_[group].weight = std::max(weight, kLeastWeight);
}

double FairShare::scaled(double gpu_seconds, Timestamp at) const {
    if (!started_) return gpu_seconds;
    return gpu_seconds * std::exp2(half_lives(at - epoch_, options_.half_life));
}

double FairShare::decay(Timestamp now) const {
    return started_ ? std::exp2(-half_lives(now - epoch_, options_.half_life)) : 1;
}

void FairShare::rescale(Timestamp at) {
    if (!started_) {
        started_ = true;
        epoch_ = at;
        return;
    }
    if (half_lives(at - epoch_, options_.half_life) < kRescaleAfterHalfLives) return;
    const double factor = decay(at);
    for (auto& [user, account] : users_)
        account.scaled *= factor;
    for (auto& [group, account] : groups_)
        account.scaled *= factor;
    epoch_ = at;
}

void FairShare::charge(UserId user, const std::string& group, double gpu_seconds, Timestamp at) {
    rescale(at);
    const double amount = scaled(gpu_seconds, at);
    Account& of_user = users_[user];
    of_user.scaled = std::max(of_user.scaled + amount, 0.0);
    Account& of_group = groups_[group];
    of_group.scaled = std::max(of_group.scaled + amount, 0.0);
}

double FairShare::of_user(UserId user) const {
    return share_in(users_, user);
}

double FairShare::of_group(const std::string& group) const {
    return share_in(groups_, group);
}

double FairShare::usage(UserId user, Timestamp now) const {
    return scaled_in(users_, user) * decay(now);
}

double FairShare::usage(const std::string& group, Timestamp now) const {
    return scaled_in(groups_, group) * decay(now);
}

double FairShare::weight(UserId user) const {
    return weight_in(users_, user);
}

double FairShare::weight(const std::string& group) const {
    return weight_in(groups_, group);
}

}  // namespace berth::gpu
