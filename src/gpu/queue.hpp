// Who waits, and in which order (gpu.md E.6): priority class; in it those who wait and got nothing
// for longer than age_max, oldest first (a user who fills the queue does not come before others by that);
// then whoever's group and then whoever themselves had least of late; then first come, then id.
#pragma once

#include "gpu/scheduler_state.hpp"

#include <map>
#include <memory>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

namespace berth::gpu {

struct Entry {
    QueueRequest request;
    std::shared_ptr<const Shape> shape;
    bool granting = false;   // a grant was given and is not confirmed yet
    bool cancelled = false;  // while it was granting
};

// One of those that wait, with what a walk through all of them looks at.
struct Place {
    const Entry* entry = nullptr;
    const Shape* shape = nullptr;
    Duration length{};  // kForever without a limit
    UserId user{};
};
inline constexpr Duration kForever = Duration::max();

class Queue {
public:
    Queue() = default;
    // A copy sorts its own entries.
    Queue(const Queue& other) : entries_(other.entries_), waiting_(other.waiting_) {}
    Queue& operator=(const Queue& other) {
        if (this != &other) *this = Queue(other);
        return *this;
    }
    Queue(Queue&&) = default;
    Queue& operator=(Queue&&) = default;

    // Its length is filled in by the caller. False when the id is known.
    bool add(QueueRequest request, const SchedulerState& state);
    bool remove(EntryId id);
    Entry* find(EntryId id);
    const Entry* find(EntryId id) const;
    std::size_t size() const { return entries_.size(); }
    std::size_t waiting() const { return waiting_; }
    const std::map<EntryId, Entry>& entries() const { return entries_; }

    void set_granting(Entry& entry, bool granting);
    // The devices changed: every wish is looked at again.
    void resolve_all(const SchedulerState& state);
    // What this user, and so their group, has had changed; or what everybody has had.
    void share_changed(const Asker& asker);
    void shares_changed() { sorted_ = false; }

    // Those that wait, first to be served first. Valid until the queue or the shares change. Only what
    // changed since the last call is sorted anew.
    const std::vector<Place>& order(const SchedulerState& state, Timestamp now) const;

private:
    struct Key {
        std::int64_t against_class = 0;  // −priority
        bool young = true;
        double group = 0;
        double user = 0;
        Timestamp enqueued{};
        std::int64_t id = 0;
        Place place{};  // not to be looked at while the id is among gone_
        std::size_t group_hash = 0;
        auto rank() const { return std::tie(against_class, young, group, user, enqueued, id); }
    };
    Key key_of(const Entry& entry, const SchedulerState& state, Timestamp now) const;
    void sort_all(const SchedulerState& state, Timestamp now) const;
    void sort_changed(const SchedulerState& state, Timestamp now) const;

    std::map<EntryId, Entry> entries_;
    std::size_t waiting_ = 0;
    // What order() knows, and what changed since.
    mutable std::vector<Place> order_;
    mutable std::vector<Key> keys_, moved_, kept_;
    mutable bool sorted_ = false;
    mutable Timestamp next_aging_{};  // when an entry becomes one that waited too long
    mutable Timestamp epoch_{};       // of the shares
    mutable std::unordered_set<std::int64_t> gone_, came_;
    mutable std::unordered_set<UserId> users_;
    mutable std::unordered_set<std::size_t> groups_;
};

}  // namespace berth::gpu
