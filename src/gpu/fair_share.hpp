// How much each user and each group has had of late, decayed (gpu.md E.6): a use of A GPU-seconds counts
// A·2^(−Δt/H). Kept scaled to a common epoch, so that an update is O(1) and comparing two users needs neither
// the time nor a sweep. Pure; the caller names the time.
#pragma once

#include "base/ids.hpp"
#include "base/units.hpp"

#include <string>
#include <unordered_map>

namespace berth::gpu {

using Duration = Timestamp::duration;

struct FairShareOptions {
    Duration half_life = std::chrono::hours(24 * 7);
    // At the grant a lease is charged min(its length, this)·devices, and settled at its end.
    Duration penalty_limit = std::chrono::hours(2);
};

class FairShare {
public:
    explicit FairShare(FairShareOptions options = {}) : options_(options) {}

    // Both weigh 1 unless said otherwise; a weight is above 0 (smaller ones are taken as 0.001).
    void set_weight(UserId user, double weight);
    void set_weight(const std::string& group, double weight);

    // GPU-seconds used at `at`, for both levels. Negative takes back what was charged at that same time.
    void charge(UserId user, const std::string& group, double gpu_seconds, Timestamp at);

    // Usage divided by weight, in units that only mean something beside another of the same FairShare.
    double of_user(UserId user) const;
    double of_group(const std::string& group) const;
    // Decayed GPU-seconds as of `now`, for people and for the store.
    double usage(UserId user, Timestamp now) const;
    double usage(const std::string& group, Timestamp now) const;

    // In the units of of_user() and of_group(): what charging this now would add before the weight.
    double scaled(double gpu_seconds, Timestamp at) const;
    double weight(UserId user) const;
    double weight(const std::string& group) const;
    // Shares of before and after a change of this are not comparable.
    Timestamp epoch() const { return epoch_; }
    const FairShareOptions& options() const { return options_; }

private:
    struct Account {
        double scaled = 0;
        double weight = 1;
    };
    void rescale(Timestamp at);
    double decay(Timestamp now) const;

    FairShareOptions options_;
    std::unordered_map<UserId, Account> users_;
    std::unordered_map<std::string, Account> groups_;
    Timestamp epoch_{};
    bool started_ = false;
};

}  // namespace berth::gpu
