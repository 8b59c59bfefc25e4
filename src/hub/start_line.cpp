#include "hub/start_line.hpp"

#include <algorithm>
#include <utility>

namespace berth::hub {

struct StartLine::Person {
    UserName name;
    std::size_t entries = 0;      // running and waiting
    std::int64_t next_round = 0;  // of the next start they ask for
};

struct StartLine::Entry {
    Entry(const asio::any_io_executor& executor, ServerId of, std::shared_ptr<Person> whose)
        : server(of), person(std::move(whose)), changed(executor) {}

    ServerId server;
    std::shared_ptr<Person> person;
    std::pair<std::int64_t, std::int64_t> place;  // round and ticket
    bool has_turn = false;
    Notifier changed;
};

StartLine::Place& StartLine::Place::operator=(Place&& other) noexcept {
    if (this != &other) {
        leave();
        line_ = std::exchange(other.line_, nullptr);
        entry_ = std::move(other.entry_);
    }
    return *this;
}

void StartLine::Place::leave() {
    if (line_ != nullptr) std::exchange(line_, nullptr)->leave(entry_);
    entry_.reset();
}

bool StartLine::Place::has_turn() const {
    return entry_ && entry_->has_turn;
}

awaitable<bool> StartLine::Place::wait_for_turn(Deadline deadline) {
    const auto entry = entry_;
    while (!entry->has_turn) {
        const bool changed = co_await entry->changed.wait_until(deadline);
        if (!changed) break;
    }
    co_return entry->has_turn;
}

StartLine::Place StartLine::add(ServerId server, const UserName& user) {
    auto& person = people_[user];
    if (!person) person = std::make_shared<Person>(Person{.name = user});
    ++person->entries;
    auto entry = std::make_shared<Entry>(executor_, server, person);
    const auto round = std::max(person->next_round, round_ + 1);
    person->next_round = round + 1;
    entry->place = {round, next_ticket_++};
    return {this, std::move(entry)};
}

StartLine::Place StartLine::enter(ServerId server, const UserName& user) {
    auto place = add(server, user);
    waiting_.emplace(place.entry_->place, place.entry_);
    positions_.clear();
    advance();
    return place;
}

StartLine::Place StartLine::enter_running(ServerId server, const UserName& user) {
    auto place = add(server, user);
    give_turn(place.entry_);
    return place;
}

void StartLine::open() {
    open_ = true;
    advance();
}

void StartLine::give_turn(const std::shared_ptr<Entry>& entry) {
    entry->has_turn = true;
    round_ = std::max(round_, entry->place.first);
    ++running_;
    positions_.clear();
    entry->changed.notify_all();
}

void StartLine::advance() {
    while (open_ && has_room() && !waiting_.empty()) {
        const auto entry = waiting_.begin()->second;
        waiting_.erase(waiting_.begin());
        give_turn(entry);
    }
}

void StartLine::leave(const std::shared_ptr<Entry>& entry) {
    if (entry->has_turn) {
        --running_;
    } else {
        waiting_.erase(entry->place);
    }
    positions_.clear();
    if (--entry->person->entries == 0) people_.erase(entry->person->name);
    advance();
}

std::optional<std::size_t> StartLine::position_of(ServerId server) const {
    if (positions_.empty()) {
        for (const auto& [place, entry] : waiting_)
            positions_.emplace(number_of(entry->server), positions_.size() + 1);
    }
    const auto at = positions_.find(number_of(server));
    return at == positions_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace berth::hub
