#include "gpu/reservations.hpp"

#include "gpu/plan.hpp"

#include <algorithm>
#include <tuple>

namespace berth::gpu {
namespace {

bool overlaps(const ReservedSpan& span, const Reservation& reservation) {
    return span.begin < reservation.end && reservation.begin < span.end;
}

std::uint32_t held_under(
    const SchedulerState& state, const Reservation& reservation, const DeviceSet& matching, Timestamp now) {
    std::uint32_t held = 0;
    for (const auto& [id, lease] : state.holdings) {
        if (!counts_towards(reservation, lease, now)) continue;
        for (const std::uint32_t at : lease.at)
            held += matching.test(at) ? 1 : 0;
    }
    return held;
}

}  // namespace

std::vector<Timestamp> ends_of_devices(const SchedulerState& state, Timestamp now) {
    std::vector<Timestamp> ends(state.devices.size(), now);
    for (const auto& [id, lease] : state.holdings) {
        for (const std::uint32_t at : lease.at)
            ends[at] = std::max(ends[at], declared_end(lease, now));
    }
    return ends;
}

bool counts_towards(const Reservation& reservation, const Holding& lease, Timestamp now) {
    const Timestamp end = lease.ending ? now : lease.deadline.value_or(kNever);
    return reservation.belongs_to(lease.asker) && end > std::max(reservation.begin, now);
}

std::vector<std::vector<ReservedSpan>> reserved_spans(const SchedulerState& state, Timestamp now) {
    std::vector<std::vector<ReservedSpan>> spans(state.devices.size());
    if (state.reservations.empty()) return spans;
    const auto ends = ends_of_devices(state, now);
    for (std::size_t number = 0; number < state.reservations.size(); ++number) {
        const Reservation& reservation = state.reservations[number];
        if (reservation.end <= now) continue;
        const auto shape = state.shape_of(reservation.wish);
        const std::uint32_t held = held_under(state, reservation, shape->matching, now);
        if (held >= reservation.wish.count) continue;
        const DeviceSet& usable = shape->usable;
        std::vector<std::tuple<Timestamp, std::int64_t>> candidates;  // free for it from; −order
        for (std::size_t at = 0; at < state.devices.size(); ++at) {
            const bool taken = std::any_of(spans[at].begin(), spans[at].end(), [&](const ReservedSpan& span) {
                return overlaps(span, reservation);
            });
            if (!usable.test(at) || taken) continue;
            candidates.emplace_back(std::max(ends[at], reservation.begin), -static_cast<std::int64_t>(at));
        }
        std::sort(candidates.begin(), candidates.end());
        const std::size_t wanted = std::min<std::size_t>(reservation.wish.count - held, candidates.size());
        for (std::size_t i = 0; i < wanted; ++i) {
            const auto at = static_cast<std::size_t>(-std::get<1>(candidates[i]));
            spans[at].push_back({.reservation = number, .begin = reservation.begin, .end = reservation.end});
        }
    }
    return spans;
}

}  // namespace berth::gpu
