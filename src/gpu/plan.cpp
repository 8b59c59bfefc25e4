#include "gpu/plan.hpp"

#include <algorithm>

namespace berth::gpu {
namespace {

constexpr Duration kSoon = std::chrono::minutes(1);

Timestamp plus(Timestamp from, std::optional<Duration> length) {
    if (!length || from == kNever || kNever - from <= *length) return kNever;
    return from + *length;
}

}  // namespace

Timestamp declared_end(const Holding& lease, Timestamp now) {
    Timestamp end = lease.deadline.value_or(kNever);
    if (lease.ending) end = std::min(end, *lease.ending);
    return end <= now ? now + kSoon : end;
}

Timestamp likely_end(const SchedulerState& state, const Holding& lease, Timestamp now) {
    const Timestamp latest = declared_end(lease, now);
    if (lease.reclaimable) return std::min(latest, now + state.options.reclaim_grace);
    if (!lease.deadline || lease.ending) return latest;
    const auto length = static_cast<double>((*lease.deadline - lease.begin).count());
    const double ratio = state.durations.likely_ratio(lease.asker.user, lease.profile);
    const Timestamp usual = lease.begin + Duration(static_cast<std::int64_t>(length * ratio));
    if (usual > now) return std::min(latest, usual);
    return latest == kNever ? kNever : now + (latest - now) / 2;  // it lasts longer than usual
}

Plan::Plan(const SchedulerState& state, Timestamp now, Ends ends)
    : state_(state), now_(now), ends_(ends), tracks_(state.devices.size()) {
    for (std::size_t at = 0; at < tracks_.size(); ++at) {
        tracks_[at].room_exclusive = state.has_room(at, Sharing::exclusive);
        tracks_[at].room_shared = state.has_room(at, Sharing::shared);
        const bool usable = state.devices[at].eligible;
        rooms_ += usable && (tracks_[at].room_exclusive || tracks_[at].room_shared) ? 1 : 0;
    }
    if (!state.reservations.empty()) reserved_ = reserved_spans(state, now);
}

std::optional<ReservationId> Plan::reservation_of(std::size_t at, const Asker& asker) const {
    if (reserved_.empty()) return std::nullopt;
    for (const ReservedSpan& span : reserved_[at]) {
        const Reservation& reservation = state_.reservations[span.reservation];
        if (span.begin <= now_ && now_ < span.end && reservation.belongs_to(asker)) return reservation.id;
    }
    return std::nullopt;
}

Timestamp Plan::unreserved_until(std::size_t at, const Asker& asker) const {
    Timestamp until = kNever;
    if (reserved_.empty()) return until;
    for (const ReservedSpan& span : reserved_[at]) {
        const bool mine = state_.reservations[span.reservation].belongs_to(asker);
        if (!mine) until = std::min(until, std::max(span.begin, now_));
    }
    return until;
}

Timestamp Plan::unreserved_from(
    std::size_t at, const Asker& asker, Timestamp from, std::optional<Duration> length) const {
    if (reserved_.empty() || from == kNever) return from;
    for (bool moved = true; moved;) {
        moved = false;
        for (const ReservedSpan& span : reserved_[at]) {
            const bool mine = state_.reservations[span.reservation].belongs_to(asker);
            if (mine || from >= span.end || plus(from, length) <= span.begin) continue;
            from = span.end;
            moved = true;
        }
    }
    return from;
}

DeviceSet Plan::startable(const Shape& shape, const Asker& asker, std::optional<Duration> length) const {
    DeviceSet found;
    const Timestamp end = plus(now_, length);
    const bool alone = shape.wish.sharing == Sharing::exclusive;
    for (std::size_t at = 0; at < tracks_.size(); ++at) {
        if (!shape.usable.test(at)) continue;
        const Track& track = tracks_[at];
        if (!(alone ? track.room_exclusive : track.room_shared)) continue;
        if (unreserved_until(at, asker) < end) continue;
        if (lanes_known_ && !track.hole) continue;
        const auto fits = [&](const Lane& lane) { return lane.free && lane.until >= end; };
        if (lanes_known_) {
            const auto& lanes = lanes_[at];
            const bool does = alone ? std::all_of(lanes.begin(), lanes.end(), fits)
                                    : std::any_of(lanes.begin(), lanes.end(), fits);
            if (!does) continue;
        }
        found.set(at);
    }
    return found;
}

void Plan::need_lanes() {
    if (std::exchange(lanes_known_, true)) return;
    lanes_.resize(tracks_.size());
    std::vector<std::vector<std::pair<Timestamp, Sharing>>> holders(tracks_.size());
    for (const auto& [id, lease] : state_.holdings) {
        const Timestamp end =
            ends_ == Ends::declared ? declared_end(lease, now_) : likely_end(state_, lease, now_);
        for (const std::uint32_t at : lease.at)
            holders[at].emplace_back(end, lease.sharing);
    }
    for (std::size_t at = 0; at < tracks_.size(); ++at) {
        fill_lanes(at, holders[at]);
        tracks_[at].summarise(lanes_[at]);
    }
}

// More leases than lanes are possible after a limit was lowered: those that end first do not count, for
// room comes only when they are gone.
void Plan::fill_lanes(std::size_t at, std::vector<std::pair<Timestamp, Sharing>>& holders) {
    auto& lanes = lanes_[at];
    const std::uint32_t capacity = std::max(state_.devices[at].capacity, 1U);
    lanes.assign(capacity, Lane{.from = now_});
    Timestamp alone{};
    std::sort(holders.begin(), holders.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (std::size_t i = 0; i < holders.size(); ++i) {
        if (holders[i].second == Sharing::exclusive) alone = std::max(alone, holders[i].first);
        if (i < capacity) lanes[i] = {.free = false, .from = holders[i].first};
    }
    if (alone == Timestamp{}) return;
    for (Lane& lane : lanes)
        lane = {.free = false, .from = std::max(lane.from, alone)};
}

void Plan::Track::summarise(const std::vector<Lane>& lanes) {
    first_free = kNever;
    all_free = Timestamp{};
    hole = false;
    for (const Lane& lane : lanes) {
        first_free = std::min(first_free, lane.from);
        all_free = std::max(all_free, lane.from);
        hole = hole || lane.free;
    }
}

void Plan::Order::fill(const std::vector<Track>& tracks, Sharing sharing) {
    for (std::uint32_t at = 0; at < tracks.size(); ++at) {
        of_track.push_back(free_from(tracks[at], sharing));
        by_time.emplace_back(of_track.back(), at);
    }
    std::sort(by_time.begin(), by_time.end());
}

// What lies between its old and its new place moves up by one.
void Plan::Order::move(std::uint32_t at, Timestamp to) {
    if (of_track.empty() || of_track[at] == to) return;
    const Free from_place{of_track[at], at}, to_place{to, at};
    const auto from = std::lower_bound(by_time.begin(), by_time.end(), from_place);
    if (to_place > from_place) {
        const auto end = std::lower_bound(from + 1, by_time.end(), to_place);
        *std::move(from + 1, end, from) = to_place;
    } else {
        const auto begin = std::lower_bound(by_time.begin(), from, to_place);
        std::move_backward(begin, from, from + 1);
        *begin = to_place;
    }
    of_track[at] = to;
}

void Plan::changed(std::uint32_t at) {
    tracks_[at].summarise(lanes_[at]);
    exclusive_.move(at, tracks_[at].all_free);
    shared_.move(at, tracks_[at].first_free);
}

void Plan::occupy(std::uint32_t at, Sharing sharing, Timestamp start, Timestamp end) {
    auto& lanes = lanes_[at];
    const auto keep = [&](Lane& lane) {
        lane.until = std::min(lane.until, start);
        lane.from = std::max(lane.from, end);
    };
    if (sharing == Sharing::exclusive) {
        for (Lane& lane : lanes)
            keep(lane);
    } else {
        keep(*std::min_element(
            lanes.begin(), lanes.end(), [](const Lane& a, const Lane& b) { return a.from < b.from; }));
    }
    changed(at);
}

// Those that are free by `start` all begin then, so that among them the place decides.
bool Plan::earliest_places(const Shape& shape, Timestamp start) {
    Order& order = shape.wish.sharing == Sharing::exclusive ? exclusive_ : shared_;
    if (order.by_time.empty()) order.fill(tracks_, shape.wish.sharing);
    const std::size_t wanted = shape.wish.count;
    places_.clear();
    auto next = order.by_time.begin();
    for (; next != order.by_time.end() && next->first <= start; ++next) {
        if (shape.usable.test(next->second)) places_.emplace_back(start, next->second);
    }
    if (places_.size() > wanted) {
        std::nth_element(
            places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(wanted), places_.end());
        places_.resize(wanted);
    }
    for (; next != order.by_time.end() && places_.size() < wanted; ++next) {
        if (shape.usable.test(next->second)) places_.push_back(*next);
    }
    return places_.size() == wanted && wanted > 0;
}

bool Plan::earliest_unreserved(
    const Shape& shape, const Asker& asker, Timestamp start, std::optional<Duration> length) {
    places_.clear();
    for (std::uint32_t at = 0; at < tracks_.size(); ++at) {
        if (!shape.usable.test(at)) continue;
        const Timestamp from = std::max(free_from(tracks_[at], shape.wish.sharing), start);
        places_.emplace_back(unreserved_from(at, asker, from, length), at);
    }
    const auto wanted = static_cast<std::ptrdiff_t>(shape.wish.count);
    if (std::ssize(places_) < wanted || wanted == 0) return false;
    std::nth_element(places_.begin(), places_.begin() + (wanted - 1), places_.end());
    places_.resize(static_cast<std::size_t>(wanted));
    return true;
}

Timestamp Plan::book(
    const Shape& shape, const Asker& asker, std::optional<Duration> length, Timestamp not_before) {
    need_lanes();
    Timestamp start = std::max(not_before, now_);
    // With reservations a device may be free for it early, but not for long enough once it waits for the
    // slowest of the set: then all are asked again from there.
    for (std::size_t round = 0; round <= state_.reservations.size(); ++round) {
        const bool enough = reserved_.empty() ? earliest_places(shape, start)
                                              : earliest_unreserved(shape, asker, start, length);
        if (!enough) return kNever;
        const Timestamp last = places_.back().first;
        if (last == start || reserved_.empty()) {
            start = last;
            break;
        }
        start = last;
    }
    const bool known = start != kNever;
    const Timestamp begin = known ? start : now_ + state_.options.unknown_backfill;
    for (const auto& [from, at] : places_)
        occupy(at, shape.wish.sharing, begin, known ? plus(start, length) : kNever);
    return start;
}

void Plan::take(const Shape& shape, const DeviceSet& startable, std::optional<Duration> length) {
    need_lanes();
    const Timestamp end = plus(now_, length);
    std::uint32_t left = shape.wish.count;
    for (std::size_t at = 0; at < tracks_.size() && left > 0; ++at) {
        if (!startable.test(at)) continue;
        --left;
        for (Lane& lane : lanes_[at]) {
            if (!lane.free || (shape.wish.sharing == Sharing::shared && lane.until < end)) continue;
            lane.free = false;
            lane.from = std::max(lane.from, end);
            if (shape.wish.sharing == Sharing::shared) break;
        }
        changed(static_cast<std::uint32_t>(at));
        rooms_ -= tracks_[at].hole ? 0 : 1;
    }
}

}  // namespace berth::gpu
