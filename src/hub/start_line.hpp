// Whose start may go on, and who waits for it: so many run at a time (spawn.concurrent_starts), the others
// wait in a line, each with a position. Fair between people: turns come in rounds, one start of each person a
// round, and who comes joins the next one. So nobody's many keep another waiting for more than one of them,
// and nobody's last waits for ever. The line is memory; the rows of those who wait say so
// (Lifecycle::waiting), and a hub that starts puts them in again. Hub strand only.
#pragma once

#include "async/notifier.hpp"
#include "base/ids.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace berth::hub {

class StartLine {
    struct Person;
    struct Entry;

public:
    // `at_a_time`: 0 sets no limit.
    StartLine(asio::any_io_executor executor, std::uint32_t at_a_time)
        : executor_(std::move(executor)), at_a_time_(at_a_time) {}

    // One start's place; destroying it leaves the line, or lets the next one on. The line must outlive it.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept
            : line_(std::exchange(other.line_, nullptr)), entry_(std::move(other.entry_)) {}
        Place& operator=(Place&& other) noexcept;
        ~Place() { leave(); }

        bool has_turn() const;
        // True once it is this start's turn, false when the deadline came first.
        awaitable<bool> wait_for_turn(Deadline deadline);

    private:
        friend class StartLine;
        Place(StartLine* line, std::shared_ptr<Entry> entry) : line_(line), entry_(std::move(entry)) {}
        void leave();

        StartLine* line_ = nullptr;
        std::shared_ptr<Entry> entry_;
    };

    // At the end of the line; it may have its turn at once.
    Place enter(ServerId server, const UserName& user);
    // For a start that runs already (adopted after a restart): counted, but never made to wait.
    Place enter_running(ServerId server, const UserName& user);

    // While it is closed nobody gets a turn: the backend cannot be used, or the hub is stopping.
    void open();
    void close() { open_ = false; }

    // 1: the next one. Nothing when it does not wait.
    std::optional<std::size_t> position_of(ServerId server) const;
    std::size_t waiting() const { return waiting_.size(); }
    std::size_t running() const { return running_; }
    std::size_t at_a_time() const { return at_a_time_; }

private:
    Place add(ServerId server, const UserName& user);
    void give_turn(const std::shared_ptr<Entry>& entry);
    void advance();
    void leave(const std::shared_ptr<Entry>& entry);
    bool has_room() const { return at_a_time_ == 0 || running_ < at_a_time_; }

    asio::any_io_executor executor_;
    std::size_t at_a_time_;
    bool open_ = false;
    std::int64_t next_ticket_ = 1;
    std::size_t running_ = 0;
    std::int64_t round_ = 0;  // of the turn given last
    std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<Entry>> waiting_;  // by round and ticket
    std::unordered_map<UserName, std::shared_ptr<Person>> people_;
    // Counted out when asked for; empty when something changed since.
    mutable std::unordered_map<std::int64_t, std::size_t> positions_;
};

}  // namespace berth::hub
