#include "hub/gpu_timeline.hpp"

#include <algorithm>
#include <array>

namespace berth::hub {
namespace {

constexpr std::array<std::string_view, 7> kNames = {
    "free", "held", "idle", "busy", "external", "cordoned", "sick"};
constexpr double kNotRead = -1;

double seconds_of(std::chrono::microseconds span) {
    return std::chrono::duration<double>(span).count();
}

}  // namespace

std::string_view name_of(DeviceUse use) {
    return kNames.at(static_cast<std::size_t>(use));
}

std::optional<DeviceUse> device_use_named(std::string_view name) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<DeviceUse>(found - kNames.begin());
}

Timestamp GpuTimeline::step_of(Timestamp at) {
    constexpr std::chrono::microseconds kLength = kStep;
    const auto since = at.time_since_epoch();
    return Timestamp(since - since % kLength);
}

void GpuTimeline::restore(const std::vector<store::DeviceSampleRow>& rows) {
    for (const auto& row : rows) {
        const auto use = device_use_named(row.state);
        if (!use || row.end <= row.begin) continue;
        Row made{row.begin, row.end, *use};
        if (row.utilisation >= 0) {
            made.read_seconds = seconds_of(made.length());
            made.utilisation = row.utilisation;
            made.used_bytes = static_cast<double>(row.used_bytes);
        }
        tracks_[row.device].rows.push_back(made);
    }
    for (auto& [uuid, track] : tracks_) {
        std::sort(track.rows.begin(), track.rows.end(), [](const Row& a, const Row& b) {
            return a.begin < b.begin;
        });
        track.unwritten = track.rows.size();
    }
}

// The clock was set back: what was seen "later" gives way to what is seen now.
void GpuTimeline::turn_back(Track& track, Timestamp now) {
    while (!track.rows.empty() && track.rows.back().end > now) {
        if (track.rows.back().begin < now) {
            track.rows.back().end = now;
            track.unwritten = std::min(track.unwritten, track.rows.size() - 1);
            break;
        }
        track.rows.pop_back();
    }
    track.unwritten = std::min(track.unwritten, track.rows.size());
}

void GpuTimeline::extend(Track& track, const DeviceLook& read, Timestamp from, Timestamp to) {
    const auto use = track.last->use;
    while (from < to) {
        const auto until = std::min(to, step_of(from) + kStep);
        const bool goes_on = !track.rows.empty() && track.rows.back().use == use &&
                             track.rows.back().end == from &&
                             step_of(track.rows.back().begin) == step_of(from);
        if (!goes_on) track.rows.push_back({from, from, use});
        auto& row = track.rows.back();
        if (read.utilisation || read.used_bytes) {
            const double more = seconds_of(until - from);
            const double all = row.read_seconds + more;
            const auto mean = [&](double before, double now) {
                return (before * row.read_seconds + now * more) / all;
            };
            row.utilisation = mean(row.utilisation, read.utilisation.value_or(0));
            row.used_bytes = mean(row.used_bytes, static_cast<double>(read.used_bytes.value_or(0)));
            row.read_seconds = all;
        }
        row.end = until;
        track.unwritten = std::min(track.unwritten, track.rows.size() - 1);
        from = until;
    }
    while (track.rows.size() > kMostRows) {
        track.rows.pop_front();
        if (track.unwritten > 0) --track.unwritten;
    }
}

// From one look to the next a device goes on with what it was seen to do; a reading says what it did until
// now.
void GpuTimeline::look(const std::vector<DeviceLook>& devices, Timestamp now) {
    const bool backwards = looked_ && now < *looked_;
    const bool follows = looked_ && !backwards && now - *looked_ <= gap_;
    if (backwards) {
        for (auto& [uuid, track] : tracks_)
            turn_back(track, now);
    }
    std::map<DeviceUuid, DeviceLook> seen;
    for (const auto& device : devices) {
        auto& track = tracks_[device.device];
        if (track.last && follows) extend(track, device, *looked_, now);
        seen.emplace(device.device, device);
    }
    for (auto& [uuid, track] : tracks_) {
        const auto found = seen.find(uuid);
        track.last = found == seen.end() ? std::nullopt : std::optional(found->second);
    }
    looked_ = now;
}

std::vector<UseSpan> GpuTimeline::spans(const DeviceUuid& device, Timestamp from, Timestamp to) const {
    std::vector<UseSpan> spans;
    const auto track = tracks_.find(device);
    if (track == tracks_.end()) return spans;
    const auto& rows = track->second.rows;
    auto at = std::partition_point(rows.begin(), rows.end(), [&](const Row& row) { return row.end <= from; });
    for (; at != rows.end() && at->begin < to; ++at) {
        const auto begin = std::max(at->begin, from);
        const auto end = std::min(at->end, to);
        if (!spans.empty() && spans.back().use == at->use && spans.back().end == begin)
            spans.back().end = end;
        else
            spans.push_back({begin, end, at->use});
    }
    return spans;
}

std::vector<UsePoint> GpuTimeline::points(const DeviceUuid& device, Timestamp from, Timestamp to) const {
    const auto first = step_of(from);
    std::vector<UsePoint> points(
        to <= first ? 0
                    : static_cast<std::size_t>((to - first + kStep - std::chrono::microseconds{1}) / kStep));
    const auto track = tracks_.find(device);
    if (track == tracks_.end()) return points;
    std::vector<double> read(points.size());
    const auto& rows = track->second.rows;
    auto at =
        std::partition_point(rows.begin(), rows.end(), [&](const Row& row) { return row.end <= first; });
    for (; at != rows.end() && at->begin < to; ++at) {
        if (at->read_seconds <= 0 || at->begin < first) continue;
        const auto index = static_cast<std::size_t>((at->begin - first) / kStep);
        auto& point = points[index];
        const double before = read[index];
        const double all = before + at->read_seconds;
        point.utilisation =
            (point.utilisation.value_or(0) * before + at->utilisation * at->read_seconds) / all;
        point.used_bytes = (point.used_bytes.value_or(0) * before + at->used_bytes * at->read_seconds) / all;
        read[index] = all;
    }
    return points;
}

store::DeviceSampleRow GpuTimeline::stored(const DeviceUuid& device, const Row& row) {
    store::DeviceSampleRow made;
    made.device = device;
    made.begin = row.begin;
    made.end = row.end;
    made.state = name_of(row.use);
    const bool read = row.read_seconds > 0;
    made.utilisation = read ? row.utilisation : kNotRead;
    made.used_bytes = read ? static_cast<std::uint64_t>(row.used_bytes) : 0;
    return made;
}

std::vector<store::DeviceSampleRow> GpuTimeline::take_unwritten() {
    std::vector<store::DeviceSampleRow> rows;
    for (auto& [uuid, track] : tracks_) {
        for (; track.unwritten < track.rows.size(); ++track.unwritten)
            rows.push_back(stored(uuid, track.rows[track.unwritten]));
    }
    return rows;
}

void GpuTimeline::not_written(const std::vector<store::DeviceSampleRow>& rows) {
    for (const auto& row : rows) {
        const auto track = tracks_.find(row.device);
        if (track == tracks_.end()) continue;
        auto& known = track->second;
        const auto at = std::partition_point(
            known.rows.begin(), known.rows.end(), [&](const Row& each) { return each.begin < row.begin; });
        known.unwritten = std::min(known.unwritten, static_cast<std::size_t>(at - known.rows.begin()));
    }
}

void GpuTimeline::forget_before(Timestamp oldest) {
    for (auto at = tracks_.begin(); at != tracks_.end();) {
        auto& track = at->second;
        while (!track.rows.empty() && track.rows.front().end < oldest) {
            track.rows.pop_front();
            if (track.unwritten > 0) --track.unwritten;
        }
        at = track.rows.empty() && !track.last ? tracks_.erase(at) : std::next(at);
    }
}

}  // namespace berth::hub
