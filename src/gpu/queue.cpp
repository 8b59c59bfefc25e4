#include "gpu/queue.hpp"

#include <algorithm>
#include <iterator>

namespace berth::gpu {

bool Queue::add(QueueRequest request, const SchedulerState& state) {
    const EntryId id = request.id;
    if (entries_.contains(id)) return false;
    auto shape = state.shape_of(request.wish);
    entries_.emplace(id, Entry{.request = std::move(request), .shape = std::move(shape)});
    ++waiting_;
    came_.insert(static_cast<std::int64_t>(id));
    return true;
}

bool Queue::remove(EntryId id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return false;
    if (!found->second.granting) --waiting_;
    gone_.insert(static_cast<std::int64_t>(id));
    came_.erase(static_cast<std::int64_t>(id));
    entries_.erase(found);
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
    const auto id = static_cast<std::int64_t>(entry.request.id);
    granting ? --waiting_ : ++waiting_;
    gone_.insert(id);
    if (granting) {
        came_.erase(id);
    } else {
        came_.insert(id);
    }
}

void Queue::resolve_all(const SchedulerState& state) {
    for (auto& [id, entry] : entries_)
        entry.shape = state.shape_of(entry.request.wish);
    sorted_ = false;  // it points to the shapes
}

void Queue::share_changed(const Asker& asker) {
    users_.insert(asker.user);
    groups_.insert(std::hash<std::string>{}(asker.group()));
}

Queue::Key Queue::key_of(const Entry& entry, const SchedulerState& state, Timestamp now) const {
    const QueueRequest& request = entry.request;
    const auto served = state.served.find(request.asker.user);
    const Timestamp since =
        served == state.served.end() ? request.enqueued : std::max(request.enqueued, served->second);
    const Timestamp ages = since + state.options.age_max;
    const bool young = now < ages;
    if (young) next_aging_ = std::min(next_aging_, ages);
    const std::string& group = request.asker.group();
    return {
        .against_class = -request.priority,
        .young = young,
        .group = young ? state.shares.of_group(group) : 0,
        .user = young ? state.shares.of_user(request.asker.user) : 0,
        .enqueued = request.enqueued,
        .id = static_cast<std::int64_t>(request.id),
        .place =
            {.entry = &entry,
             .shape = entry.shape.get(),
             .length = request.length.value_or(kForever),
             .user = request.asker.user},
        .group_hash = std::hash<std::string>{}(group)};
}

const std::vector<Place>& Queue::order(const SchedulerState& state, Timestamp now) const {
    const bool all = !sorted_ || now >= next_aging_ || epoch_ != state.shares.epoch();
    if (!all && gone_.empty() && came_.empty() && users_.empty()) return order_;
    if (all) {
        sort_all(state, now);
    } else {
        sort_changed(state, now);
    }
    order_.clear();
    for (const Key& key : keys_)
        order_.push_back(key.place);
    sorted_ = true;
    epoch_ = state.shares.epoch();
    gone_.clear();
    came_.clear();
    users_.clear();
    groups_.clear();
    return order_;
}

void Queue::sort_all(const SchedulerState& state, Timestamp now) const {
    keys_.clear();
    next_aging_ = Timestamp::max();
    for (const auto& [id, entry] : entries_) {
        if (!entry.granting) keys_.push_back(key_of(entry, state, now));
    }
    std::sort(keys_.begin(), keys_.end(), [](const Key& a, const Key& b) { return a.rank() < b.rank(); });
}

// Whoever's share did not change keeps their place among themselves; the others are sorted and merged in.
void Queue::sort_changed(const SchedulerState& state, Timestamp now) const {
    moved_.clear();
    kept_.clear();
    for (const Key& key : keys_) {
        if (!gone_.empty() && gone_.contains(key.id)) continue;
        if (groups_.contains(key.group_hash) || users_.contains(key.place.user)) {
            moved_.push_back(key_of(*key.place.entry, state, now));
        } else {
            kept_.push_back(key);
        }
    }
    for (const std::int64_t id : came_)
        moved_.push_back(key_of(entries_.at(EntryId{id}), state, now));
    const auto before = [](const Key& a, const Key& b) { return a.rank() < b.rank(); };
    std::sort(moved_.begin(), moved_.end(), before);
    keys_.clear();
    std::merge(kept_.begin(), kept_.end(), moved_.begin(), moved_.end(), std::back_inserter(keys_), before);
}

}  // namespace berth::gpu
