#include "gpu/eta.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace berth::gpu {
namespace {

// When each of a user's own devices comes back under the rules on how many may be held at a time.
class OwnLimit {
public:
    OwnLimit(const SchedulerState& state, Timestamp now, Plan::Ends ends)
        : state_(state), now_(now), ends_(ends), limited_(!state.quotas.rules().empty()) {}

    struct Own {
        std::uint32_t left = 0;
        std::vector<Timestamp> ends;  // ascending, one for each device

        // The earliest time for `count` more; kNever when an own lease has no end.
        Timestamp earliest(std::uint32_t count, Timestamp now) const {
            if (left >= count) return now;
            const std::size_t missing = count - left;
            return missing <= ends.size() ? ends[missing - 1] : kNever;
        }
        void started(std::uint32_t count, Timestamp end) {
            const std::uint32_t from_left = std::min(left, count);
            left -= from_left;
            ends.erase(
                ends.begin(), ends.begin() + std::min<std::ptrdiff_t>(count - from_left, std::ssize(ends)));
            ends.insert(std::upper_bound(ends.begin(), ends.end(), end), count, end);
        }
    };
    // Of whoever asks, for devices of the entry's model; none without rules.
    Own* of(const Place& place) {
        if (!limited_) return nullptr;
        auto& of_model = own_[number_of_model(*place.shape)];
        const auto [at, unknown] = of_model.try_emplace(place.user);
        if (!unknown) return &at->second;
        Own& own = at->second;
        const auto& asker = place.entry->request.asker;
        own.left = state_.quotas.devices_left(asker, place.shape->wish.pool, place.shape->model);
        if (const auto held = ends_of_users().find(place.user); held != ends_of_.end()) {
            own.ends = held->second;
            std::sort(own.ends.begin(), own.ends.end());
        }
        return &own;
    }

private:
    std::size_t number_of_model(const Shape& shape) {
        const auto [at, unknown] = models_of_shapes_.try_emplace(&shape);
        if (unknown) {
            const auto known = std::find(models_.begin(), models_.end(), shape.model);
            at->second = static_cast<std::size_t>(known - models_.begin());
            if (known == models_.end()) models_.push_back(shape.model);
            own_.resize(models_.size());
        }
        return at->second;
    }

    // One walk through the leases for everybody.
    const std::unordered_map<UserId, std::vector<Timestamp>>& ends_of_users() {
        if (std::exchange(ends_known_, true)) return ends_of_;
        for (const auto& [id, lease] : state_.holdings) {
            const Timestamp end =
                ends_ == Plan::Ends::declared ? declared_end(lease, now_) : likely_end(state_, lease, now_);
            auto& ends = ends_of_[lease.asker.user];
            ends.insert(ends.end(), lease.devices.size(), end);
        }
        return ends_of_;
    }

    const SchedulerState& state_;
    Timestamp now_;
    Plan::Ends ends_;
    bool limited_;
    bool ends_known_ = false;
    std::unordered_map<UserId, std::vector<Timestamp>> ends_of_;
    std::unordered_map<const Shape*, std::size_t> models_of_shapes_;
    std::vector<std::string> models_;
    std::vector<std::unordered_map<UserId, Own>> own_;  // beside models_
};

std::optional<Duration> length_of(const SchedulerState& state, const Place& place, Plan::Ends ends) {
    if (place.length == kForever) return std::nullopt;
    if (ends == Plan::Ends::declared || state.durations.empty()) return place.length;
    const double ratio = state.durations.likely_ratio(place.user, place.entry->request.profile);
    return Duration(static_cast<std::int64_t>(static_cast<double>(place.length.count()) * ratio));
}

// What it reads of each place is all in the place: ten thousand entries lie far apart in memory.
std::vector<std::optional<Timestamp>> starts(
    const SchedulerState& state, const std::vector<Place>& order, Timestamp now, Plan::Ends ends) {
    std::vector<std::optional<Timestamp>> all(order.size());
    Plan plan(state, now, ends);
    OwnLimit limit(state, now, ends);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Place& place = order[i];
        const Shape& shape = *place.shape;
        const Asker& asker = place.entry->request.asker;
        const std::uint32_t count = shape.wish.count;
        const auto length = length_of(state, place, ends);
        OwnLimit::Own* own = limit.of(place);
        const Timestamp allowed = own ? own->earliest(count, now) : now;
        if (allowed == kNever) continue;
        Timestamp start = now;
        const bool may_begin = plan.has_room() && allowed <= now;
        const DeviceSet on = may_begin ? plan.startable(shape, asker, length) : DeviceSet();
        if (may_begin && on.count() >= count) {
            plan.take(shape, on, length);
        } else {
            start = plan.book(shape, asker, length, allowed);
        }
        if (start == kNever) continue;
        if (own) own->started(count, length ? start + *length : kNever);
        all[i] = start;
    }
    return all;
}

}  // namespace

std::vector<Estimate> estimate(const SchedulerState& state, const std::vector<Place>& order, Timestamp now) {
    const auto latest = starts(state, order, now, Plan::Ends::declared);
    const auto likely = starts(state, order, now, Plan::Ends::likely);
    std::vector<Estimate> all(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        all[i].entry = order[i].entry->request.id;
        all[i].position = static_cast<std::uint32_t>(i + 1);
        all[i].latest_start = latest[i];
        all[i].likely_start = likely[i];
        // The likely plan may serve others in between; it is never worse news than the promise.
        if (latest[i] && likely[i]) all[i].likely_start = std::min(*latest[i], *likely[i]);
    }
    return all;
}

}  // namespace berth::gpu
