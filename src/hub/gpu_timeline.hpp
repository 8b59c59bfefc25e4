// What each device was doing over the last days: one row for every stretch in which its use did not change,
// cut at every five minutes so that rows are at the same time the plot of utilisation and memory. Pure: the
// caller says what it sees and when; rows that are new or have grown come back to be written. A time in which
// nobody looked is no row at all, so it shows as unknown. Hub strand only.
#pragma once

#include "base/ids.hpp"
#include "base/units.hpp"
#include "store/rows.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::hub {

enum class DeviceUse {
    free,
    held,      // leased; what its holder does with it is not known (starting, or no readings)
    idle,      // leased, and not computing
    busy,      // leased, and computing
    external,  // used by something that is none of ours
    cordoned,  // nobody's, and taken out by an administrator
    sick,      // not healthy
};
std::string_view name_of(DeviceUse use);
std::optional<DeviceUse> device_use_named(std::string_view name);

// What one look at a device saw.
struct DeviceLook {
    DeviceUuid device;
    DeviceUse use = DeviceUse::free;
    std::optional<double> utilisation{};  // 0 to 1
    std::optional<std::uint64_t> used_bytes{};
};

struct UseSpan {
    Timestamp begin{};
    Timestamp end{};
    DeviceUse use = DeviceUse::free;
    bool operator==(const UseSpan&) const = default;
};

// Means over GpuTimeline::kStep; nothing where nothing was read.
struct UsePoint {
    std::optional<double> utilisation{};
    std::optional<double> used_bytes{};
};

class GpuTimeline {
public:
    static constexpr std::chrono::minutes kStep{5};
    static constexpr std::chrono::hours kKept{8 * 24};
    static constexpr std::size_t kMostRows = 20'000;  // a device; the oldest go first

    // `gap`: looks further apart than this say nothing of the time between them.
    explicit GpuTimeline(std::chrono::seconds gap) : gap_(gap) {}

    // Rows of the store, in any order.
    void restore(const std::vector<store::DeviceSampleRow>& rows);
    // All devices there are, at `now`. Devices that are not among them are not known to do anything.
    void look(const std::vector<DeviceLook>& devices, Timestamp now);

    // Neighbouring rows of the same use are one span.
    std::vector<UseSpan> spans(const DeviceUuid& device, Timestamp from, Timestamp to) const;
    // One point for each kStep from `from` (rounded down to one) to `to`.
    std::vector<UsePoint> points(const DeviceUuid& device, Timestamp from, Timestamp to) const;
    static Timestamp step_of(Timestamp at);  // the begin of its kStep

    // Rows that are new or have grown since the last call, to be written; found again by device and begin.
    std::vector<store::DeviceSampleRow> take_unwritten();
    // They could not be written: they are taken again next time.
    void not_written(const std::vector<store::DeviceSampleRow>& rows);
    // Forgets what ended before `oldest`.
    void forget_before(Timestamp oldest);

private:
    struct Row {
        std::chrono::microseconds length() const { return end - begin; }

        Timestamp begin{};
        Timestamp end{};
        DeviceUse use = DeviceUse::free;
        double read_seconds = 0;  // how much of it the means are over
        double utilisation = 0;
        double used_bytes = 0;
    };
    struct Track {
        std::deque<Row> rows;       // by begin, none overlapping
        std::size_t unwritten = 0;  // the first that the store has not, or not as it is now
        std::optional<DeviceLook> last;
    };
    static void extend(Track& track, const DeviceLook& read, Timestamp from, Timestamp to);
    static void turn_back(Track& track, Timestamp now);
    static store::DeviceSampleRow stored(const DeviceUuid& device, const Row& row);

    std::chrono::seconds gap_;
    std::map<DeviceUuid, Track> tracks_;
    std::optional<Timestamp> looked_;
};

}  // namespace berth::hub
