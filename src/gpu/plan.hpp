// What the devices will be doing: when each falls free, what the waiting ones ahead were promised, what is
// reserved. One plan serves one pass over the queue, in its order: startable() says where a request may begin
// at once without delaying anybody planned before it (conservative backfill), book() gives it the earliest
// place behind them, take() starts it.
#pragma once

#include "gpu/reservations.hpp"
#include "gpu/scheduler_state.hpp"

#include <optional>
#include <vector>

namespace berth::gpu {

inline constexpr Timestamp kNever = Timestamp::max();

// When a lease ends at the latest as far as anybody said: deadline, or the grace of a reclaim. kNever without
// either; soon when that moment has passed.
Timestamp declared_end(const Holding& lease, Timestamp now);
// When it ends by experience: the usual part of its length, sooner when it is idle.
Timestamp likely_end(const SchedulerState& state, const Holding& lease, Timestamp now);

class Plan {
public:
    enum class Ends { declared, likely };
    Plan(const SchedulerState& state, Timestamp now, Ends ends = Ends::declared);

    // Devices of the shape on which a request of that length may begin now.
    DeviceSet startable(const Shape& shape, const Asker& asker, std::optional<Duration> length) const;
    // Keeps the earliest place for it; returns its start, kNever when nobody knows.
    Timestamp book(
        const Shape& shape, const Asker& asker, std::optional<Duration> length, Timestamp not_before);
    // It begins now, on `count` of these devices, the first in order.
    void take(const Shape& shape, const DeviceSet& startable, std::optional<Duration> length);
    // Some device has room now.
    bool has_room() const { return rooms_ > 0; }
    // The reservation under which `asker` would get this device now.
    std::optional<ReservationId> reservation_of(std::size_t at, const Asker& asker) const;

private:
    struct Lane {                  // one shared lease, or 1/k of an exclusive one
        bool free = true;          // now
        Timestamp until = kNever;  // free only so long: then somebody's booking begins
        Timestamp from{};          // after everything planned, it is free from here
    };
    struct Track {
        bool room_exclusive = false;
        bool room_shared = false;
        Timestamp first_free{};  // of the lanes' `from`: the earliest
        Timestamp all_free{};    // and the latest
        bool hole = false;       // some lane is free now
        void summarise(const std::vector<Lane>& lanes);
    };
    void need_lanes();
    void fill_lanes(std::size_t at, std::vector<std::pair<Timestamp, Sharing>>& holders);
    // The end of the time that the device may be used from now on by this asker; now when not at all.
    Timestamp unreserved_until(std::size_t at, const Asker& asker) const;
    // The earliest time at or after `from` for which nobody else has reserved the device for that length.
    Timestamp unreserved_from(
        std::size_t at, const Asker& asker, Timestamp from, std::optional<Duration> length) const;
    static Timestamp free_from(const Track& track, Sharing sharing) {
        return sharing == Sharing::exclusive ? track.all_free : track.first_free;
    }
    void occupy(std::uint32_t at, Sharing sharing, Timestamp start, Timestamp end);
    void changed(std::uint32_t at);
    // The `wanted` earliest places for it, into places_; false when there are fewer. The start is that of
    // the last.
    bool earliest_places(const Shape& shape, Timestamp start);
    bool earliest_unreserved(
        const Shape& shape, const Asker& asker, Timestamp start, std::optional<Duration> length);

    const SchedulerState& state_;
    Timestamp now_;
    Ends ends_;
    bool lanes_known_ = false;
    std::vector<Track> tracks_;
    std::vector<std::vector<Lane>> lanes_;  // of each track; filled by need_lanes()
    std::vector<std::vector<ReservedSpan>> reserved_;
    std::size_t rooms_ = 0;
    // The tracks by when they are free for a lease of a sharing, then by place; filled when first needed.
    using Free = std::pair<Timestamp, std::uint32_t>;
    struct Order {
        std::vector<Free> by_time;
        std::vector<Timestamp> of_track;  // as it stands in by_time
        void fill(const std::vector<Track>& tracks, Sharing sharing);
        void move(std::uint32_t at, Timestamp to);
    };
    Order exclusive_, shared_;
    std::vector<Free> places_;  // of book(); a member for its capacity
};

}  // namespace berth::gpu
