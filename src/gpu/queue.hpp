// Who waits, and in which order (gpu.md E.6): priority class; in it those who waited longer than age_max,
// oldest first; then whoever's group and then whoever themselves had least of late; then first come, then id.
#pragma once

#include "gpu/scheduler_state.hpp"

#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace berth::gpu {

struct Entry {
    QueueRequest request;
    Shape shape;
    bool granting = false;   // a grant was given and is not confirmed yet
    bool cancelled = false;  // while it was granting
};

class Queue {
public:
    Queue() = default;
    // A copy sorts its own entries.
    Queue(const Queue& other) : entries_(other.entries_), waiting_(other.waiting_) {}
    Queue& operator=(const Queue& other) {
        if (this == &other) return *this;
        entries_ = other.entries_;
        waiting_ = other.waiting_;
        sorted_ = false;
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
    void shares_changed() { sorted_ = false; }

    // Those that wait, first to be served first. Valid until the queue or the shares change.
    const std::vector<const Entry*>& order(const SchedulerState& state, Timestamp now) const;

private:
    struct Key {
        std::int64_t against_class = 0;  // −priority
        bool young = true;
        double group = 0;
        double user = 0;
        Timestamp enqueued{};
        std::int64_t id = 0;
        const Entry* entry = nullptr;
        auto rank() const { return std::tie(against_class, young, group, user, enqueued, id); }
    };
    std::map<EntryId, Entry> entries_;
    std::size_t waiting_ = 0;
    mutable std::vector<const Entry*> order_;
    mutable std::vector<Key> keys_;  // for its capacity
    mutable bool sorted_ = false;
    mutable Timestamp next_aging_{};  // when an entry becomes one that waited too long
};

}  // namespace berth::gpu
