#include "gpu/why.hpp"

#include <algorithm>
#include <map>

namespace berth::gpu {
namespace {

constexpr std::size_t kLeasesNamed = 4;

std::string leases_text(const std::vector<LeaseId>& leases) {
    std::string text = leases.size() == 1 ? "lease " : "leases ";
    for (std::size_t i = 0; i < std::min(leases.size(), kLeasesNamed); ++i) {
        if (i > 0) text += ", ";
        text += std::to_string(number_of(leases[i]));
    }
    if (leases.size() > kLeasesNamed) text += " and more";
    return text;
}

Exclusion mismatch(const Wish& wish, const ScheduledDevice& device) {
    if (!wish.among.empty()) {
        if (std::find(wish.among.begin(), wish.among.end(), device.uuid) == wish.among.end()) {
            return Exclusion::not_named;
        }
    } else if (device.by_name_only) {
        return Exclusion::not_named;
    }
    if (device.pool != wish.pool) return Exclusion::other_pool;
    if (!wish.model.empty() && wish.model != device.model) return Exclusion::other_model;
    if (device.memory < wish.min_memory) return Exclusion::too_small;
    return Exclusion::none;
}

std::string mismatch_text(Exclusion exclusion, const ScheduledDevice& device) {
    switch (exclusion) {
        case Exclusion::other_pool:
            return device.pool.empty() ? std::string("is of the default pool") : "is of pool " + device.pool;
        case Exclusion::other_model:
            return "is of model " + device.model;
        case Exclusion::too_small:
            return "has only " + format_bytes(device.memory);
        default:
            return "was not named";
    }
}

// The leases on each device, and when they are over at the latest.
struct Holders {
    std::vector<LeaseId> leases;
    Timestamp over{};
};

std::vector<Holders> holders_of(const SchedulerState& state, Timestamp now) {
    std::vector<Holders> all(state.devices.size());
    for (const auto& [id, lease] : state.holdings) {
        for (const std::uint32_t at : lease.at) {
            all[at].leases.push_back(id);
            all[at].over = std::max(all[at].over, declared_end(lease, now));
        }
    }
    return all;
}

}  // namespace

std::string_view name_of(Exclusion exclusion) {
    switch (exclusion) {
        case Exclusion::none:
            return "none";
        case Exclusion::other_pool:
            return "other_pool";
        case Exclusion::other_model:
            return "other_model";
        case Exclusion::too_small:
            return "too_small";
        case Exclusion::not_named:
            return "not_named";
        case Exclusion::unusable:
            return "unusable";
        case Exclusion::in_use:
            return "in_use";
        case Exclusion::reserved:
            return "reserved";
        case Exclusion::kept:
            return "kept";
    }
    return "unknown";
}

std::vector<DeviceAnswer> explain_devices(
    const SchedulerState& state,
    const std::vector<const Entry*>& ahead,
    const QueueRequest& request,
    Timestamp now) {
    const auto asked = state.shape_of(request.wish);
    const Shape& shape = *asked;
    const auto holders = holders_of(state, now);
    const Plan open(state, now);
    const DeviceSet unreserved = open.startable(shape, request.asker, request.length);
    Plan kept(state, now);
    for (const Entry* entry : ahead)
        (void)kept.book(*entry->shape, entry->request.asker, entry->request.length, now);
    const DeviceSet free = kept.startable(shape, request.asker, request.length);

    std::vector<DeviceAnswer> answers;
    for (std::size_t at = 0; at < state.devices.size(); ++at) {
        const ScheduledDevice& device = state.devices[at];
        DeviceAnswer answer;
        answer.device = device.uuid;
        answer.exclusion = mismatch(request.wish, device);
        const std::string unusable = state.unusable_reason(at);
        if (answer.exclusion != Exclusion::none) {
            answer.text = mismatch_text(answer.exclusion, device);
        } else if (!unusable.empty()) {
            answer.exclusion = Exclusion::unusable;
            answer.text = unusable;
        } else if (!state.has_room(at, request.wish.sharing)) {
            answer.exclusion = Exclusion::in_use;
            answer.leases = holders[at].leases;
            answer.text = answer.leases.empty() ? std::string("its GPU is in use as a whole")
                                                : "in use by " + leases_text(answer.leases);
            if (holders[at].over != kNever && !answer.leases.empty()) answer.free_at = holders[at].over;
        } else if (!unreserved.test(at)) {
            answer.exclusion = Exclusion::reserved;
            answer.text = "reserved for somebody else within that time";
        } else if (!free.test(at)) {
            answer.exclusion = Exclusion::kept;
            answer.text = "kept for somebody ahead in the queue";
        } else {
            answer.text = "free";
        }
        answers.push_back(std::move(answer));
    }
    return answers;
}

std::vector<std::string> what_helps(
    const SchedulerState& state, const QueueRequest& request, const std::vector<DeviceAnswer>& devices) {
    std::vector<std::string> helps;
    const auto count_of = [&](Exclusion exclusion) {
        return std::count_if(devices.begin(), devices.end(), [&](const DeviceAnswer& answer) {
            return answer.exclusion == exclusion;
        });
    };
    const auto free = count_of(Exclusion::none);
    if (free >= request.wish.count) return helps;
    if (free > 0) helps.push_back("Ask for " + std::to_string(free) + ": so many are free for you now.");
    if (count_of(Exclusion::kept) + count_of(Exclusion::reserved) > 0) {
        helps.push_back("Ask for less time: a free GPU is promised to others from a later moment on.");
    }
    std::map<std::string, std::uint32_t> models;
    for (std::size_t at = 0; at < devices.size(); ++at) {
        const bool other = devices[at].exclusion == Exclusion::other_model;
        if (other && state.has_room(at, request.wish.sharing) && state.unusable_reason(at).empty()) {
            ++models[state.devices[at].model];
        }
    }
    for (const auto& [model, count] : models) {
        if (count >= request.wish.count) helps.push_back("Ask for model " + model + ": it is free now.");
    }
    const DeviceAnswer* next = nullptr;
    for (const DeviceAnswer& answer : devices) {
        if (answer.free_at && (!next || *answer.free_at < *next->free_at)) next = &answer;
    }
    if (next) {
        helps.push_back(
            "The end of " + leases_text(next->leases) + ", at " + format_rfc3339(*next->free_at) +
            " at the latest.");
    }
    return helps;
}

}  // namespace berth::gpu
