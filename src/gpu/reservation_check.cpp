#include "gpu/reservation_check.hpp"

#include "gpu/plan.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace berth::gpu {
namespace {

// Devices that each reservation lacks. Its owner's lease on a device counts as the device.
std::map<ReservationId, std::size_t> lacking(const SchedulerState& state, Timestamp now) {
    std::map<ReservationId, std::size_t> lacks;
    const auto spans = reserved_spans(state, now);
    const auto ends = ends_of_devices(state, now);
    for (std::size_t number = 0; number < state.reservations.size(); ++number) {
        const Reservation& reservation = state.reservations[number];
        if (reservation.end <= now) continue;
        const auto shape = state.shape_of(reservation.wish);
        std::size_t has = 0;
        for (const auto& [id, lease] : state.holdings) {
            if (!counts_towards(reservation, lease, now)) continue;
            has += static_cast<std::size_t>(std::count_if(
                lease.at.begin(), lease.at.end(), [&](auto at) { return shape->matching.test(at); }));
        }
        for (std::size_t at = 0; at < spans.size(); ++at) {
            const bool kept = std::any_of(spans[at].begin(), spans[at].end(), [&](const auto& span) {
                return span.reservation == number;
            });
            has += kept && ends[at] <= std::max(reservation.begin, now) ? 1 : 0;
        }
        const std::size_t wanted = reservation.wish.count;
        lacks[reservation.id] = wanted - std::min(has, wanted);
    }
    return lacks;
}

bool overlap(const Reservation& a, const Reservation& b) {
    return a.begin < b.end && b.begin < a.end;
}

// The leases that are in the way, if they alone are too many.
std::optional<ReservationObstacle> held_too_long(
    const SchedulerState& state, const Reservation& wanted, const DeviceSet& usable, Timestamp now) {
    ReservationObstacle obstacle{.rule = ReservationObstacle::Rule::held, .could_have = usable.count()};
    DeviceSet lost;
    for (const auto& [id, lease] : state.holdings) {
        if (declared_end(lease, now) <= std::max(wanted.begin, now) || counts_towards(wanted, lease, now))
            continue;
        const bool in_the_way =
            std::any_of(lease.at.begin(), lease.at.end(), [&](auto at) { return usable.test(at); });
        if (!in_the_way) continue;
        obstacle.leases.push_back(id);
        for (const std::uint32_t at : lease.at)
            lost.set(at);
    }
    obstacle.could_have = (usable & ~lost).count();
    if (obstacle.could_have >= wanted.wish.count) return std::nullopt;
    return obstacle;
}

}  // namespace

std::optional<ReservationObstacle> obstacle_to(
    const SchedulerState& state, const Reservation& wanted, Timestamp now) {
    using Rule = ReservationObstacle::Rule;
    const auto shape = state.shape_of(wanted.wish);
    if (wanted.wish.count > shape->matching.count())
        return ReservationObstacle{.rule = Rule::beyond_what_exists, .could_have = shape->matching.count()};
    if (wanted.wish.count > shape->usable.count())
        return ReservationObstacle{.rule = Rule::not_usable, .could_have = shape->usable.count()};
    if (auto held = held_too_long(state, wanted, shape->usable, now)) return held;
    SchedulerState with = state;
    auto list = state.reservations;
    list.push_back(wanted);
    with.set_reservations(std::move(list));
    const auto before = lacking(state, now);
    const auto after = lacking(with, now);
    ReservationObstacle obstacle{.rule = Rule::reserved};
    const std::size_t lacks = after.contains(wanted.id) ? after.at(wanted.id) : 0;
    bool in_the_way = lacks > 0;
    obstacle.could_have = wanted.wish.count - lacks;
    for (const Reservation& other : state.reservations) {
        const auto was = before.find(other.id);
        if (was == before.end()) continue;
        const bool worse = after.at(other.id) > was->second;
        in_the_way = in_the_way || worse;
        if (worse || (lacks > 0 && overlap(other, wanted))) obstacle.reservations.push_back(other.id);
    }
    if (!in_the_way) return std::nullopt;
    return obstacle;
}

}  // namespace berth::gpu
