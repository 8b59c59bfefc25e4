#include "identity/impl/user_index.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

ActivityKey key_of(const User& user) {
    return {user.row.last_activity.value_or(Timestamp{}), user.id(), &user};
}

}  // namespace

void ActivityOrder::add(const User& user) {
    added_.push_back(&user);
}

void ActivityOrder::remove(const User& user) {
    sorted();
    const auto place = std::lower_bound(sorted_.begin(), sorted_.end(), key_of(user));
    if (place != sorted_.end() && place->user == &user) sorted_.erase(place);
}

void ActivityOrder::will_change(User& user) {
    if (user.order_outdated) return;
    // One that was added since the last reading has no entry to take out.
    if (std::binary_search(sorted_.begin(), sorted_.end(), key_of(user))) {
        user.order_outdated = true;
        outdated_.push_back(key_of(user));
        moved_.push_back(&user);
    }
}

const std::vector<ActivityKey>& ActivityOrder::sorted() {
    if (moved_.empty() && added_.empty()) return sorted_;
    std::sort(outdated_.begin(), outdated_.end());
    std::vector<ActivityKey> fresh;
    fresh.reserve(moved_.size() + added_.size());
    for (auto* user : moved_) {
        user->order_outdated = false;
        fresh.push_back(key_of(*user));
    }
    for (const auto* user : added_)
        fresh.push_back(key_of(*user));
    std::sort(fresh.begin(), fresh.end());

    std::vector<ActivityKey> kept;
    kept.reserve(sorted_.size());
    std::set_difference(
        sorted_.begin(), sorted_.end(), outdated_.begin(), outdated_.end(), std::back_inserter(kept));
    sorted_.resize(kept.size() + fresh.size());
    std::merge(kept.begin(), kept.end(), fresh.begin(), fresh.end(), sorted_.begin());
    outdated_.clear();
    moved_.clear();
    added_.clear();
    return sorted_;
}

// Ids are whole numbers in order: from one to the next no place lies further on than the number does. People
// who were made together have numbers without gaps, and are asked for in order.
std::size_t NameText::place_of(UserId id) const {
    if (last_ < ids_.size() && ids_[last_] <= id) {
        const auto further = static_cast<std::size_t>(number_of(id) - number_of(ids_[last_]));
        if (further < ids_.size() - last_ && ids_[last_ + further] == id) return last_ += further;
    }
    last_ = static_cast<std::size_t>(std::lower_bound(ids_.begin(), ids_.end(), id) - ids_.begin());
    return last_;
}

std::string_view NameText::name_at(std::size_t place) const {
    const auto end = place + 1 < begins_.size() ? begins_[place + 1] : text_.size();
    return std::string_view(text_).substr(begins_[place], end - 1 - begins_[place]);
}

bool NameText::add(const User& user) {
    if (!ids_.empty() && ids_.back() >= user.id()) return false;
    begins_.push_back(text_.size());
    ids_.push_back(user.id());
    users_.push_back(&user);
    text_ += user.name().value;
    text_ += '\0';
    return true;
}

void NameText::remove(UserId id) {
    const auto place = place_of(id);
    if (place == ids_.size() || ids_[place] != id) return;
    users_[place] = nullptr;
    std::fill_n(text_.begin() + static_cast<std::ptrdiff_t>(begins_[place]), name_at(place).size(), '\0');
}

void NameText::clear() {
    *this = {};
}

std::vector<const User*> NameText::holding(std::string_view part) const {
    std::vector<const User*> found;
    const std::string_view text = text_;
    for (auto at = text.find(part); at != std::string_view::npos;) {
        const auto after = std::upper_bound(begins_.begin(), begins_.end(), at);
        if (after == begins_.begin()) break;  // there is nobody
        const auto place = static_cast<std::size_t>(after - begins_.begin()) - 1;
        if (users_[place] != nullptr) found.push_back(users_[place]);
        if (after == begins_.end()) break;
        at = text.find(part, *after);
    }
    return found;
}

std::string_view NameText::name_of(UserId id) const {
    const auto place = place_of(id);
    const bool known = place < ids_.size() && ids_[place] == id && users_[place] != nullptr;
    return known ? name_at(place) : std::string_view();
}

}  // namespace berth::identity
