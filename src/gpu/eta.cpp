#include "gpu/eta.hpp"

#include <algorithm>
#include <map>

namespace berth::gpu {
namespace {

// When each of a user's own devices comes back under the rules on how many may be held at a time.
class OwnLimit {
public:
    OwnLimit(const SchedulerState& state, Timestamp now, Plan::Ends ends)
        : state_(state), now_(now), ends_(ends) {}

    // The earliest time for `count` more; kNever when an own lease has no end.
    Timestamp earliest(const Entry& entry) {
        if (state_.quotas.rules().empty()) return now_;
        auto& own = of(entry);
        const std::uint32_t count = entry.request.wish.count;
        if (own.left >= count) return now_;
        const std::size_t missing = count - own.left;
        return missing <= own.ends.size() ? own.ends[missing - 1] : kNever;
    }

    void started(const Entry& entry, Timestamp end) {
        if (state_.quotas.rules().empty()) return;
        auto& own = of(entry);
        const std::uint32_t count = entry.request.wish.count;
        const std::uint32_t from_left = std::min(own.left, count);
        own.left -= from_left;
        own.ends.erase(
            own.ends.begin(),
            own.ends.begin() + std::min<std::ptrdiff_t>(count - from_left, std::ssize(own.ends)));
        for (std::uint32_t i = 0; i < count; ++i)
            own.ends.insert(std::upper_bound(own.ends.begin(), own.ends.end(), end), end);
    }

private:
    struct Own {
        std::uint32_t left = 0;
        std::vector<Timestamp> ends;  // ascending, one for each device
    };
    Own& of(const Entry& entry) {
        const auto& asker = entry.request.asker;
        const auto [at, unknown] = own_.try_emplace({asker.user, entry.shape->model});
        if (!unknown) return at->second;
        at->second.left = state_.quotas.devices_left(asker, entry.request.wish.pool, entry.shape->model);
        for (const auto& [id, lease] : state_.holdings) {
            if (lease.asker.user != asker.user) continue;
            const Timestamp end =
                ends_ == Plan::Ends::declared ? declared_end(lease, now_) : likely_end(state_, lease, now_);
            at->second.ends.insert(at->second.ends.end(), lease.devices.size(), end);
        }
        std::sort(at->second.ends.begin(), at->second.ends.end());
        return at->second;
    }

    const SchedulerState& state_;
    Timestamp now_;
    Plan::Ends ends_;
    std::map<std::pair<UserId, std::string>, Own> own_;
};

std::optional<Duration> length_of(const SchedulerState& state, const QueueRequest& request, Plan::Ends ends) {
    if (ends == Plan::Ends::declared || !request.length) return request.length;
    const double ratio = state.durations.likely_ratio(request.asker.user, request.profile);
    return Duration(static_cast<std::int64_t>(static_cast<double>(request.length->count()) * ratio));
}

std::vector<std::optional<Timestamp>> starts(
    const SchedulerState& state, const std::vector<Place>& order, Timestamp now, Plan::Ends ends) {
    std::vector<std::optional<Timestamp>> all(order.size());
    Plan plan(state, now, ends);
    OwnLimit limit(state, now, ends);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Entry& entry = *order[i].entry;
        const QueueRequest& request = entry.request;
        const auto length = length_of(state, request, ends);
        const Timestamp allowed = limit.earliest(entry);
        if (allowed == kNever) continue;
        Timestamp start = now;
        if (plan.has_room() && allowed <= now) {
            const DeviceSet on = plan.startable(*entry.shape, request.asker, length);
            if (on.count() >= request.wish.count) {
                plan.take(*entry.shape, on, length);
            } else {
                start = plan.book(*entry.shape, request.asker, length, allowed);
            }
        } else {
            start = plan.book(*entry.shape, request.asker, length, allowed);
        }
        if (start == kNever) continue;
        limit.started(entry, length ? start + *length : kNever);
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
