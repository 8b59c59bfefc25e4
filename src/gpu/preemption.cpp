#include "gpu/preemption.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace berth::gpu {
namespace {

double entry_charge(const SchedulerState& state, const QueueRequest& request, Timestamp now) {
    const Duration limit = state.options.fair_share.penalty_limit;
    const Duration length = request.length ? std::min(*request.length, limit) : limit;
    const double seconds = std::chrono::duration<double>(length).count();
    return state.shares.scaled(seconds * request.wish.count, now);
}

// What one device costs to free: how many people are interrupted against their will, how many leases end,
// and how bad it is for the worst of them.
struct Price {
    std::size_t preempted = 0;
    std::size_t leases = 0;
    std::size_t worst = 0;
    std::uint32_t at = 0;
    auto operator<=>(const Price&) const = default;
};

class Search {
public:
    Search(const SchedulerState& state, Timestamp now)
        : state_(state), now_(now), reserved_(reserved_spans(state, now)) {
        on_.resize(state.devices.size());
        for (const auto& [id, lease] : state.holdings) {
            for (const std::uint32_t at : lease.at)
                on_[at].push_back(&lease);
        }
    }

    void serve(const Entry& entry, std::vector<Victim>& victims) {
        rank_victims(entry.request);
        std::map<LeaseId, ReclaimReason> chosen;
        DeviceSet mine, at_no_price;
        for (std::uint32_t i = 0; i < entry.request.wish.count; ++i) {
            std::optional<Price> best;
            for (std::uint32_t at = 0; at < on_.size(); ++at) {
                if (!entry.shape->usable.test(at) || spoken_.test(at) || mine.test(at)) continue;
                if (kept_for_others(at, entry.request)) continue;
                const auto price = price_of(at, entry.request, chosen);
                if (price && (!best || *price < *best)) best = price;
            }
            if (!best) {  // it would still not fit: nobody is interrupted, but what is free stays its own
                spoken_ |= at_no_price;
                return;
            }
            mine.set(best->at);
            if (best->leases == 0) at_no_price.set(best->at);
            for (const Holding* lease : to_end(best->at, entry.request))
                chosen.emplace(lease->id, reason_for(*lease));
        }
        spoken_ |= mine;
        for (const auto& [id, reason] : chosen) {
            taken_.insert(id);
            victims.push_back({.lease = id, .reason = reason, .entry = entry.request.id});
        }
    }

private:
    ReclaimReason reason_for(const Holding& lease) const {
        return lease.reclaimable ? ReclaimReason::idle : ReclaimReason::preempted;
    }

    // Lowest class first, then who had most, then the youngest.
    void rank_victims(const QueueRequest& request) {
        std::vector<std::tuple<bool, std::int64_t, double, double, std::int64_t, std::int64_t>> all;
        for (const auto& [id, lease] : state_.holdings) {
            if (lease.ending || taken_.contains(id)) continue;
            if (goes_back_to_a_reservation(lease, request)) continue;
            if (!lease.reclaimable && !may_preempt(state_, request, lease, now_)) continue;
            all.emplace_back(
                !lease.reclaimable,
                lease.priority,
                -state_.shares.of_group(lease.asker.group()),
                -state_.shares.of_user(lease.asker.user),
                -lease.begin.time_since_epoch().count(),
                number_of(id));
        }
        std::sort(all.begin(), all.end());
        rank_.clear();
        for (std::size_t i = 0; i < all.size(); ++i)
            rank_.emplace(LeaseId{std::get<5>(all[i])}, i + 1);
    }

    // Its device would only be kept for the owner of a reservation.
    bool goes_back_to_a_reservation(const Holding& lease, const QueueRequest& request) const {
        const Timestamp end = request.length ? now_ + *request.length : kNever;
        const auto& all = state_.reservations;
        return std::any_of(all.begin(), all.end(), [&](const Reservation& reservation) {
            return reservation.begin < end && now_ < reservation.end &&
                   counts_towards(reservation, lease, now_) && !reservation.belongs_to(request.asker);
        });
    }

    bool kept_for_others(std::uint32_t at, const QueueRequest& request) const {
        const Timestamp end = request.length ? now_ + *request.length : kNever;
        return std::any_of(reserved_[at].begin(), reserved_[at].end(), [&](const ReservedSpan& span) {
            return span.begin < end && !state_.reservations[span.reservation].belongs_to(request.asker);
        });
    }

    bool goes_soon(const Holding& lease) const {
        return declared_end(lease, now_) <= now_ + state_.options.reclaim_grace || lease.ending ||
               taken_.contains(lease.id);
    }

    // The leases that must end before the request fits there; those that are ending anyway are left out.
    std::vector<const Holding*> to_end(std::uint32_t at, const QueueRequest& request) const {
        std::vector<const Holding*> staying;
        bool held_alone = false;
        for (const Holding* lease : on_[at]) {
            if (goes_soon(*lease)) continue;
            staying.push_back(lease);
            held_alone = held_alone || lease->sharing == Sharing::exclusive;
        }
        if (request.wish.sharing == Sharing::exclusive || held_alone) return staying;
        const std::size_t capacity = state_.devices[at].capacity;
        if (staying.size() < capacity) return {};
        const auto rank = [&](const Holding* lease) {
            const auto known = rank_.find(lease->id);
            return known == rank_.end() ? rank_.size() + 1 : known->second;
        };
        std::sort(staying.begin(), staying.end(), [&](const Holding* a, const Holding* b) {
            return std::pair(rank(a), a->id) < std::pair(rank(b), b->id);
        });
        staying.resize(staying.size() - capacity + 1);
        return staying;
    }

    std::optional<Price> price_of(
        std::uint32_t at, const QueueRequest& request, const std::map<LeaseId, ReclaimReason>& chosen) const {
        Price price{.at = at};
        for (const Holding* lease : to_end(at, request)) {
            if (chosen.contains(lease->id)) continue;
            const auto rank = rank_.find(lease->id);
            if (rank == rank_.end()) return std::nullopt;
            price.preempted += lease->reclaimable ? 0 : 1;
            ++price.leases;
            price.worst = std::max(price.worst, rank->second);
        }
        return price;
    }

    const SchedulerState& state_;
    Timestamp now_;
    std::vector<std::vector<ReservedSpan>> reserved_;
    std::vector<std::vector<const Holding*>> on_;
    DeviceSet spoken_;         // an earlier one waits for it
    std::set<LeaseId> taken_;  // will end for an earlier one
    std::map<LeaseId, std::size_t> rank_;
};

}  // namespace

bool may_preempt(
    const SchedulerState& state, const QueueRequest& request, const Holding& lease, Timestamp now) {
    const PreemptionOptions& options = state.options.preemption;
    if (!lease.preemptible || !lease.started || lease.asker.user == request.asker.user) return false;
    if (now - lease.begin < options.min_runtime) return false;
    // What was only borrowed goes back to whoever is within quota; waiting again, it is not within.
    if (lease.borrowed && lease.priority <= request.priority) return true;
    if (!options.enabled) return false;
    if (lease.priority != request.priority) return lease.priority < request.priority;
    // Of one class: the lease's side must have had more by the factor, even after the request's own charge.
    // So, waiting again, it could not take the device back.
    const FairShare& shares = state.shares;
    const double charge = entry_charge(state, request, now);
    const std::string& theirs = lease.asker.group();
    const std::string& ours = request.asker.group();
    if (theirs != ours) {
        const double claim = shares.of_group(ours) + charge / shares.weight(ours);
        return shares.of_group(theirs) >= options.hysteresis * claim;
    }
    const double claim = shares.of_user(request.asker.user) + charge / shares.weight(request.asker.user);
    return shares.of_user(lease.asker.user) >= options.hysteresis * claim;
}

std::vector<Victim> victims(
    const SchedulerState& state, const std::vector<const Entry*>& waiting, Timestamp now) {
    std::vector<Victim> all;
    if (waiting.empty()) return all;
    const bool any = std::any_of(state.holdings.begin(), state.holdings.end(), [&](const auto& each) {
        return !each.second.ending && (each.second.reclaimable || each.second.preemptible);
    });
    if (!any) return all;
    Search search(state, now);
    for (const Entry* entry : waiting)
        search.serve(*entry, all);
    return all;
}

}  // namespace berth::gpu
