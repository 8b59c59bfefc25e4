// GPU-hours held and used, and energy, summed by one or two keys (gpu.md E.10). Pure: intervals in, rows out.
// Used never exceeds held, and the sums by one key are those by any other.
#pragma once

#include "base/units.hpp"
#include "store/rows.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth::api {

struct Usage {
    double held_hours = 0;
    double used_hours = 0;
    double joules = 0;
    std::int64_t intervals = 0;

    double wasted_hours() const { return held_hours > used_hours ? held_hours - used_hours : 0; }
    double kilowatt_hours() const { return joules / 3.6e6; }
};

using UsageKeys = std::vector<std::string>;
// Names an interval by each of the keys; "week" is filled in by sum_usage().
using UsageNames = std::function<UsageKeys(const store::UsageIntervalRow&)>;

struct UsageQuestion {
    UsageKeys by;  // what the rows are summed by
    Timestamp from{};
    Timestamp to{};
};

std::map<UsageKeys, Usage> sum_usage(
    const std::vector<store::UsageIntervalRow>& intervals,
    const UsageQuestion& question,
    const UsageNames& names);

// The Monday on which the week of `at` began, in UTC.
Timestamp week_of(Timestamp at);

std::string usage_csv(const std::map<UsageKeys, Usage>& sums, const UsageKeys& by);
std::string usage_openmetrics(const std::map<UsageKeys, Usage>& sums, const UsageKeys& by);

}  // namespace berth::api
