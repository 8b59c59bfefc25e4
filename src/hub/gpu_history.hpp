// What the devices did over the last days, and what each lease used of its own (gpu.md E.10): looked at after
// every report of the agent, and every few seconds where there is none; written together once a minute, kept
// for eight days, read again at the start. What is lost by a kill -9 is the last minute. Hub strand only.
#pragma once

#include "hub/context.hpp"
#include "hub/gpu_timeline.hpp"
#include "store/queries.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace berth::hub {

// What the classification needs to know of a device.
struct DeviceFacts {
    bool leased = false;
    bool working = false;             // a lease on it is active: its server runs
    bool external = false;            // somebody else uses it
    std::optional<bool> computing{};  // none: nobody can tell
};
DeviceUse use_of(const gpu::DeviceStatus& device, const DeviceFacts& facts);

class GpuHistory {
public:
    explicit GpuHistory(Context& context);

    // Takes over what the store holds. Errors: StoreErrc.
    awaitable<Result<void>> restore();
    // The inventory has just taken a report.
    void on_gpu_readings(Timestamp now);
    // Looks and writes for ever.
    awaitable<> run();
    // Writes what is not durable yet. Errors: StoreErrc; it is written with the next flush then.
    awaitable<Result<void>> flush();

    const GpuTimeline& timeline() const { return timeline_; }

private:
    using Place = std::pair<LeaseId, DeviceUuid>;
    struct Meter {
        std::optional<std::uint64_t> energy_millijoules;
    };
    void look(Timestamp now);
    DeviceFacts facts_of(const gpu::DeviceStatus& device, Timestamp now);
    void charge(Timestamp now);
    double joules_of(const gpu::DeviceReading& reading, const Meter& before, double passed) const;
    awaitable<> forget_old();

    Context& context_;
    std::chrono::seconds gap_;
    GpuTimeline timeline_;
    std::map<DeviceUuid, Timestamp> busy_at_;     // when it was last seen computing
    std::map<Place, store::LeaseUse> uncharged_;  // not written yet
    std::set<Place> active_;                      // at the last reading
    std::map<DeviceUuid, Meter> meters_;
    std::optional<Timestamp> read_at_;
    std::optional<Timestamp> looked_at_;
};

}  // namespace berth::hub
