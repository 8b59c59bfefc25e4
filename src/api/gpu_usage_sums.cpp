#include "api/gpu_usage.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace berth::api {
namespace {

constexpr std::string_view kWeek = "week";

double hours_of(std::chrono::microseconds span) {
    return std::chrono::duration<double, std::ratio<3600>>(span).count();
}

std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.6f", value);
    return text.data();
}

// The part of an interval within a time; what was used of it is spread evenly over it.
void add_part(
    Usage& usage, const store::UsageIntervalRow& interval, Timestamp begin, Timestamp end, Timestamp now) {
    const auto whole = interval.end.value_or(now) - interval.begin;
    const auto part = end - begin;
    const double fraction =
        whole.count() > 0 ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
    const double held = hours_of(part) * interval.share;
    usage.held_hours += held;
    usage.used_hours += std::min(held, interval.used_seconds * fraction * interval.share / 3600);
    usage.joules += interval.joules * fraction * interval.share;
    ++usage.intervals;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + "\"";
}

std::string label(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + "\"";
}

}  // namespace

Timestamp week_of(Timestamp at) {
    const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_time(at.time_since_epoch()));
    const std::chrono::weekday weekday{day};
    return Timestamp((day - (weekday - std::chrono::Monday)).time_since_epoch());
}

std::map<UsageKeys, Usage> sum_usage(
    const std::vector<store::UsageIntervalRow>& intervals,
    const UsageQuestion& question,
    const UsageNames& names) {
    const auto week = std::find(question.by.begin(), question.by.end(), kWeek);
    std::map<UsageKeys, Usage> sums;
    for (const auto& interval : intervals) {
        const auto end = std::min(interval.end.value_or(question.to), question.to);
        auto keys = names(interval);
        for (auto begin = std::max(interval.begin, question.from); begin < end;) {
            auto until = end;
            if (week != question.by.end()) {
                const auto monday = week_of(begin);
                until = std::min(until, monday + std::chrono::weeks(1));
                keys[static_cast<std::size_t>(week - question.by.begin())] =
                    format_rfc3339(monday).substr(0, 10);
            }
            add_part(sums[keys], interval, begin, until, question.to);
            begin = until;
        }
    }
    return sums;
}

std::string usage_csv(const std::map<UsageKeys, Usage>& sums, const UsageKeys& by) {
    std::string text;
    for (const auto& key : by)
        text.append(key).append(",");
    text += "gpu_hours,used_hours,wasted_hours,energy_kwh,intervals\r\n";
    for (const auto& [keys, usage] : sums) {
        for (const auto& key : keys)
            text.append(quoted(key)).append(",");
        text.append(number(usage.held_hours)).append(",").append(number(usage.used_hours)).append(",");
        text.append(number(usage.wasted_hours())).append(",").append(number(usage.kilowatt_hours()));
        text.append(",").append(std::to_string(usage.intervals)).append("\r\n");
    }
    return text;
}

std::string usage_openmetrics(const std::map<UsageKeys, Usage>& sums, const UsageKeys& by) {
    struct Family {
        std::string_view name, help;
        double (*value)(const Usage&);
    };
    constexpr Family kFamilies[] = {
        {"berth_gpu_usage_held_hours",
         "GPU-hours held in the time asked for",
         [](const Usage& usage) { return usage.held_hours; }},
        {"berth_gpu_usage_used_hours",
         "GPU-hours in which the GPU computed",
         [](const Usage& usage) { return usage.used_hours; }},
        {"berth_gpu_usage_wasted_hours",
         "GPU-hours held and not used",
         [](const Usage& usage) { return usage.wasted_hours(); }},
        {"berth_gpu_usage_energy_joules", "Energy of the GPUs while they were held", [](const Usage& usage) {
             return usage.joules;
         }}};
    std::string text;
    for (const auto& family : kFamilies) {
        text.append("# TYPE ").append(family.name).append(" gauge\n# UNIT ").append(family.name).append(" ");
        text.append(family.name.substr(family.name.rfind('_') + 1)).append("\n# HELP ");
        text.append(family.name).append(" ").append(family.help).append("\n");
        for (const auto& [keys, usage] : sums) {
            text.append(family.name).append("{");
            for (std::size_t at = 0; at < by.size(); ++at)
                text.append(at == 0 ? "" : ",").append(by[at]).append("=").append(label(keys[at]));
            text.append("} ").append(number(family.value(usage))).append("\n");
        }
    }
    return text.append("# EOF\n");
}

}  // namespace berth::api
