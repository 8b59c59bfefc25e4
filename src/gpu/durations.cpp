#include "gpu/durations.hpp"

#include <algorithm>

namespace berth::gpu {

void Durations::Sample::add(float ratio) {
    ratios[count % kKept] = ratio;
    ++count;
    auto sorted = ratios;
    const auto end = sorted.begin() + std::min<std::uint32_t>(count, kKept);
    const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
    std::nth_element(sorted.begin(), middle, end);
    median = *middle;
}

void Durations::record(UserId user, const std::string& profile, Duration declared, Duration actual) {
    if (declared <= Duration{}) return;
    const double ratio =
        static_cast<double>(std::max(actual, Duration{}).count()) / static_cast<double>(declared.count());
    const auto bounded = static_cast<float>(std::min(ratio, 1.0));
    all_.add(bounded);
    const std::pair key{user, profile};
    if (of_.size() < kKeys || of_.contains(key)) of_[key].add(bounded);
}

double Durations::likely_ratio(UserId user, const std::string& profile) const {
    if (of_.empty()) return all_.count >= kEnough ? all_.median : 1;
    const auto at = of_.find({user, profile});
    if (at != of_.end() && at->second.count >= kEnough) return at->second.median;
    return all_.count >= kEnough ? all_.median : 1;
}

}  // namespace berth::gpu
