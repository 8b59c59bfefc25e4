// Two more orders over all users, made to be read in one sweep of memory: by last activity, and the names as
// one text to search in. Both keep up with changes lazily, so that what is not asked for costs nothing.
#pragma once

#include "identity/directory.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::identity {

// Users by (last activity, id); who was never active comes first. O(users) once after changes, else free.
class ActivityOrder {
public:
    void add(const User& user);
    void remove(const User& user);
    // Before its last_activity changes. Cheap; again and again too.
    void will_change(User& user);
    const std::vector<ActivityKey>& sorted();

private:
    std::vector<ActivityKey> sorted_;
    std::vector<ActivityKey> outdated_;  // in sorted_, no longer true
    std::vector<User*> moved_;           // their entries are missing
    std::vector<const User*> added_;
};

// Names in order of ids.
class NameText {
public:
    bool add(const User& user);  // false: there are higher ids already
    void remove(UserId id);
    void clear();
    // Those whose name holds `part`, in order of ids.
    std::vector<const User*> holding(std::string_view part) const;
    std::string_view name_of(UserId id) const;  // "" when unknown

private:
    std::size_t place_of(UserId id) const;
    std::string_view name_at(std::size_t place) const;

    std::string text_;                 // each name followed by a zero byte
    std::vector<std::size_t> begins_;  // of each name
    std::vector<UserId> ids_;          // sorted
    std::vector<const User*> users_;   // null: removed
    mutable std::size_t last_ = 0;     // found last
};

}  // namespace berth::identity
