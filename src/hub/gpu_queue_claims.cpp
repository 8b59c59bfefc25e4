// Claims on devices beside those of the queue itself: reservations, preemption, and what the allocator façade
// must leave alone.
#include "gpu/pools.hpp"
#include "gpu/reservations.hpp"
#include "hub/gpu_queue.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace berth::hub {

void GpuQueue::set_reservations(std::vector<gpu::Reservation> reservations) {
    scheduler_.restore(gpu::ReservationsChanged{std::move(reservations)}, now_utc());
    estimates_.reset();
    changed_.notify_all();
}

// A reservation of theirs runs that is not used up by what they hold, and covers this wish.
bool GpuQueue::has_reserved(const gpu::QueueRequest& request) const {
    const auto& state = scheduler_.state();
    const auto now = now_utc();
    return std::any_of(state.reservations.begin(), state.reservations.end(), [&](const auto& reservation) {
        const auto& kept = reservation.wish;
        const bool runs = reservation.begin <= now && now < reservation.end;
        if (!runs || !reservation.belongs_to(request.asker) || kept.pool != request.wish.pool) return false;
        if (!kept.model.empty() && !request.wish.model.empty() && kept.model != request.wish.model)
            return false;
        std::size_t held = 0;
        for (const auto& [id, lease] : state.holdings)
            held += gpu::counts_towards(reservation, lease, now) ? lease.devices.size() : 0;
        return held + request.wish.count <= kept.count;
    });
}

// Those that wait while a reservation of theirs begins or ends change their class, and keep their place in
// it.
void GpuQueue::follow_reservations() {
    if (scheduler_.state().reservations.empty() || scheduler_.waiting() == 0) return;
    for (const auto& [id, waiter] : by_entry_) {
        const auto entry = static_cast<gpu::EntryId>(id);
        const auto* known = scheduler_.find(entry);
        if (known == nullptr || known->granting) continue;
        auto request = request_of(ask_of(row_of(*waiter)), entry, known->request.enqueued);
        if (request.priority == known->request.priority) continue;
        scheduler_.restore(gpu::Cancel{entry}, now_utc());
        scheduler_.restore(gpu::Enqueue{std::move(request)}, now_utc());
        estimates_.reset();
    }
}

std::optional<GpuQueue::ReservedFor> GpuQueue::kept_from(
    const DeviceUuid& device, UserId user, const std::string& project) const {
    const auto& state = scheduler_.state();
    const auto now = now_utc();
    const auto asker = asker_of(user, project);
    const auto spans = gpu::reserved_spans(state, now);
    std::optional<ReservedFor> first;
    for (std::size_t at = 0; at < spans.size(); ++at) {
        if (state.devices[at].uuid != device) continue;
        for (const auto& span : spans[at]) {
            const auto& reservation = state.reservations[span.reservation];
            if (reservation.belongs_to(asker) || (first && first->begin <= span.begin)) continue;
            first = ReservedFor{reservation.id, span.begin, span.end};
        }
    }
    return first;
}

std::optional<Timestamp> GpuQueue::end_of(LeaseId lease) const {
    const auto& held = scheduler_.state().holdings;
    const auto known = held.find(lease);
    if (known == held.end()) return std::nullopt;
    const auto end = gpu::declared_end(known->second, now_utc());
    return end == gpu::kNever ? std::nullopt : std::optional(end);
}

// The culler warns its people and ends it; the scheduler asks once.
void GpuQueue::preempt(const gpu::ReclaimAction& reclaim) {
    if (!reclaim.entry) return;
    log::info(
        "gpu.preempted",
        {{"lease", number_of(reclaim.lease)}, {"for", static_cast<std::int64_t>(*reclaim.entry)}});
    preempted_[reclaim.lease] = {*reclaim.entry, std::chrono::steady_clock::now() + reclaim.grace};
}

// Whoever it was for waits no longer, or got another device: then it goes on.
void GpuQueue::revoke_preemptions() {
    for (auto at = preempted_.begin(); at != preempted_.end();) {
        const auto* entry = scheduler_.find(at->second.entry);
        if (entry != nullptr && !entry->granting) {
            ++at;
            continue;
        }
        log::info("gpu.preemption_revoked", {{"lease", number_of(at->first)}});
        scheduler_.restore(gpu::ReclaimRevoked{at->first}, now_utc());
        at = preempted_.erase(at);
    }
}

std::optional<std::chrono::steady_clock::time_point> GpuQueue::preempted(LeaseId lease) const {
    const auto known = preempted_.find(lease);
    return known == preempted_.end() ? std::nullopt : std::optional(known->second.stops);
}

std::vector<DeviceUuid> GpuQueue::promised(gpu::Duration for_so_long) {
    catch_up();
    std::vector<DeviceUuid> devices;
    const auto& state = scheduler_.state();
    if (scheduler_.waiting() == 0 && state.reservations.empty()) return devices;
    std::set<std::string> pools;
    gpu::QueueRequest last;  // behind everybody
    last.id = gpu::EntryId{std::numeric_limits<std::int64_t>::max()};
    last.priority = std::numeric_limits<std::int64_t>::min() / 2;  // it is negated
    last.length = for_so_long;
    last.wish.sharing = context_.leases.sharing(false);
    for (const auto& device : state.devices) {
        pools.insert(device.pool);
        last.wish.among.push_back(device.uuid);
    }
    for (const auto& pool : pools) {
        last.wish.pool = pool;
        for (const auto& answer : scheduler_.why(last, now_utc()).devices) {
            const bool claimed =
                answer.exclusion == gpu::Exclusion::kept || answer.exclusion == gpu::Exclusion::reserved;
            if (claimed) devices.push_back(answer.device);
        }
    }
    return devices;
}

}  // namespace berth::hub
