// Whose devices are taken back when somebody waits and nothing is free (gpu.md E.6, E.7). First idle leases,
// which their users were told about; then, only where preemption is switched on, leases of a lower class or
// of those who had far more than their share. Nobody is interrupted for a request that would still not fit
// (all or nothing).
#pragma once

#include "gpu/plan.hpp"
#include "gpu/queue.hpp"

#include <vector>

namespace berth::gpu {

struct Victim {
    LeaseId lease{};
    ReclaimReason reason{};
    EntryId entry{};  // for whom
};

// `waiting`: those that nothing was found for, in their order. Several are served at once, each from devices
// that no earlier one is waiting for already.
std::vector<Victim> victims(
    const SchedulerState& state, const std::vector<const Entry*>& waiting, Timestamp now);

// May this request preempt that lease? Never one that, waiting again, could preempt it in turn (L4).
bool may_preempt(
    const SchedulerState& state, const QueueRequest& request, const Holding& lease, Timestamp now);

}  // namespace berth::gpu
