// How long leases last compared with what was declared, by user and profile: the likely start of a waiting
// request comes from here (gpu.md E.6). Bounded: the last kKept of each, kKeys keys.
#pragma once

#include "base/ids.hpp"
#include "base/units.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace berth::gpu {

class Durations {
public:
    using Duration = Timestamp::duration;
    static constexpr std::size_t kKept = 32;
    static constexpr std::size_t kKeys = 20'000;
    static constexpr std::size_t kEnough = 4;  // fewer say nothing about a user; then everybody's count

    void record(UserId user, const std::string& profile, Duration declared, Duration actual);
    // The median of actual/declared, 0…1; 1 while nothing is known.
    double likely_ratio(UserId user, const std::string& profile) const;

    bool empty() const { return all_.count == 0; }

private:
    struct Sample {
        std::array<float, kKept> ratios{};
        std::uint32_t count = 0;  // ever recorded
        float median = 1;
        void add(float ratio);
    };
    std::map<std::pair<UserId, std::string>, Sample> of_;
    Sample all_;
};

}  // namespace berth::gpu
