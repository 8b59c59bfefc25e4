// "Why am I waiting?": for a request, each device with the rule that excludes it, and what would help.
#pragma once

#include "gpu/eta.hpp"

#include <optional>
#include <string>
#include <vector>

namespace berth::gpu {

enum class Exclusion {
    none,        // it could have this one
    other_pool,  // pools, names, models and memory that were not asked for
    other_model,
    too_small,
    not_named,
    unusable,  // unhealthy, cordoned, used from outside: `text` says which
    in_use,    // by `leases`
    reserved,  // for somebody else, within its length
    kept,      // free, but somebody ahead was promised it before this request would be over
};
std::string_view name_of(Exclusion exclusion);

struct DeviceAnswer {
    DeviceUuid device;
    Exclusion exclusion = Exclusion::none;
    std::string text;                    // a sentence's part, for people
    std::vector<LeaseId> leases{};       // in use by
    std::optional<Timestamp> free_at{};  // at the latest, when that is known
};

struct Why {
    bool starts_now = false;
    std::string refusal{};  // it can never start as it is: the rule
    std::string quota{};    // the rule that keeps it back now
    Estimate estimate{};
    std::vector<DeviceAnswer> devices{};  // in device order
    std::vector<std::string> helps{};     // what would, each a sentence
};

// `ahead`: those that wait and are served before it.
std::vector<DeviceAnswer> explain_devices(
    const SchedulerState& state,
    const std::vector<const Entry*>& ahead,
    const QueueRequest& request,
    Timestamp now);

// Fewer devices, another model, a shorter time, the end of a lease: what would let it start.
std::vector<std::string> what_helps(
    const SchedulerState& state, const QueueRequest& request, const std::vector<DeviceAnswer>& devices);

}  // namespace berth::gpu
