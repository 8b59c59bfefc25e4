#include "gpu/queue.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace berth::gpu {

bool Queue::add(QueueRequest request, const SchedulerState& state) {
    const EntryId id = request.id;
    if (entries_.contains(id)) return false;
    Shape shape = state.resolve(request.wish);
    entries_.emplace(id, Entry{.request = std::move(request), .shape = std::move(shape)});
    ++waiting_;
    sorted_ = false;
    return true;
}

bool Queue::remove(EntryId id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return false;
    if (!found->second.granting) --waiting_;
    entries_.erase(found);
    sorted_ = false;
    return true;
}

Entry* Queue::find(EntryId id) {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
}

const Entry* Queue::find(EntryId id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
}

void Queue::set_granting(Entry& entry, bool granting) {
    if (entry.granting == granting) return;
    entry.granting = granting;
    granting ? --waiting_ : ++waiting_;
    sorted_ = false;
}

void Queue::resolve_all(const SchedulerState& state) {
    for (auto& [id, entry] : entries_)
        entry.shape = state.resolve(entry.request.wish);
}

const std::vector<const Entry*>& Queue::order(const SchedulerState& state, Timestamp now) const {
    if (sorted_ && now < next_aging_) return order_;
    keys_.clear();
    next_aging_ = Timestamp::max();
    std::unordered_map<UserId, std::pair<double, double>> shares;  // group's, user's
    for (const auto& [id, entry] : entries_) {
        if (entry.granting) continue;
        const QueueRequest& request = entry.request;
        const auto [share, unknown] = shares.try_emplace(request.asker.user);
        if (unknown) {
            share->second = {
                state.shares.of_group(request.asker.group()), state.shares.of_user(request.asker.user)};
        }
        const Timestamp ages = request.enqueued + state.options.age_max;
        const bool young = now < ages;
        if (young) next_aging_ = std::min(next_aging_, ages);
        keys_.push_back(
            {.against_class = -request.priority,
             .young = young,
             .group = young ? share->second.first : 0,
             .user = young ? share->second.second : 0,
             .enqueued = request.enqueued,
             .id = static_cast<std::int64_t>(id),
             .entry = &entry});
    }
    std::sort(keys_.begin(), keys_.end(), [](const Key& a, const Key& b) { return a.rank() < b.rank(); });
    order_.clear();
    for (const Key& key : keys_)
        order_.push_back(key.entry);
    sorted_ = true;
    return order_;
}

}  // namespace berth::gpu
