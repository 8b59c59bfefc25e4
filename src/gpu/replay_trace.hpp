// A month of notebook sessions as they might be asked for: log-normal lengths, mostly idle, more by day and
// on weekdays. A pure function of the parameters; the seed stands for chance, and gives the same sessions on
// every machine with the same mathematical library.
#pragma once

#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/units.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace berth::gpu {

struct ReplayParameters {
    std::uint64_t seed = 1;
    std::uint32_t users = 40;
    std::uint32_t devices = 8;
    std::uint32_t days = 30;
    // GPU-hours asked for, counted as hours logged in, divided by the GPU-hours there are.
    double demand = 1.5;
    double idle_share = 0.7;  // of a session
    double length_median_hours = 3;
    double length_sigma = 1;
    double length_max_hours = 72;
    double work_periods_mean = 2;  // stretches of work in a session, with idle gaps between and after
    double activity_sigma = 0.5;   // how unequal users ask; 0: all the same
    double patience_median_hours = 6;
    double patience_sigma = 0.8;
    double weekend_factor = 0.3;
    std::array<double, 24> day{0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1,   1.5, 1.8, 1.8,
                               1.3, 1.6, 1.8, 1.8, 1.6, 1.3, 1,   0.8, 0.7, 0.6, 0.5, 0.3};
    // Berth's own settings.
    double lease_hours = 8;
    double reclaim_idle_minutes = 60;  // unused at most while somebody waits; less the longer they do
    double warning_minutes = 10;       // its user is told for so long
    double age_max_hours = 24;
    double retry_minutes = 30;  // first come, first served without a queue: who was refused asks again
    bool operator==(const ReplayParameters&) const = default;
};

// Keys as the members above; missing ones keep their default. Error: an unknown key or a value of another
// kind or outside its bounds.
Result<ReplayParameters> parse_replay(const json::value& file);
Error replay_error(std::string message);

struct ReplaySession {
    UserId user{};
    Timestamp arrives{};
    struct Work {
        Timestamp::duration idle_before{};
        Timestamp::duration length{};
    };
    std::vector<Work> work;
    Timestamp::duration idle_after{};  // until logout
    Timestamp::duration patience{};    // in each wait
};

// By arrival. Times begin on a Monday at midnight.
std::vector<ReplaySession> replay_trace(const ReplayParameters& parameters);
Timestamp replay_begin();

}  // namespace berth::gpu
