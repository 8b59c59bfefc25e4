// The notebook servers as the hub knows them: each row's working copy and what only a living hub knows about
// it (steps of a start, who waits for it). A row that is stopped and never started again stays; it holds the
// options. Hub strand only. References stay valid until the server is removed; after a suspension look it up
// again by key.
#pragma once

#include "async/notifier.hpp"
#include "async/stop_source.hpp"
#include "base/ids.hpp"
#include "hub/culling.hpp"
#include "spawn/spawner.hpp"
#include "store/rows.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace berth::hub {

using store::Lifecycle;

// One step of a start, as the progress stream tells it (hub-protocol §9.5).
struct Step {
    int percent = 0;
    std::string message;
};

// What the people of a server are told before the hub ends it unasked (hub/cull.hpp).
struct Ending {
    Timestamp at{};
    EndReason why = EndReason::idle;
    std::uint32_t extensions_left = 0;
    seconds extension{0};
    std::string no_extension{};  // which rule keeps it from going on, when one is known
    bool operator==(const Ending&) const = default;
};

struct Server {
    Server(ServerKey server_key, store::ServerRow server_row, const asio::any_io_executor& executor)
        : key(std::move(server_key)), row(std::move(server_row)), changed(executor) {}

    ServerKey key;
    store::ServerRow row;
    std::vector<DeviceUuid> devices;  // of its live lease
    std::optional<LeaseId> lease;
    std::optional<store::QueueEntryRow> queued;  // it waits for devices (hub/gpu_queue.hpp)
    std::vector<Step> steps;                     // of the newest start
    Notifier changed;                            // lifecycle, steps, failure, gone
    bool reaping = false;                        // the reaper works on it
    std::shared_ptr<StopSource> attempt;   // of the start in flight; asked to stop, it ends in the reaper
    bool taking_up = false;                // see TakingUp
    std::optional<spawn::Status> gone;     // the backend said it ended, while it was starting or ready
    std::optional<Error> cut_off;          // why the start in flight ends though nobody asked
    std::optional<std::string> moving_to;  // where it is reached, on its way into the row (hub/addresses.hpp)
    std::optional<Ending> ending;          // announced; none while it goes on
    std::string hint;                      // advice to its people; "" none
    std::string stop_sentence;             // why the stop under way was not asked for by a person
    std::string stop_delayed;              // for people: why it is still stopping, and what they can do
    // Who asked it to stop, until that is committed with the row that says so.
    std::optional<store::AuditRow> stop_record;
    std::optional<Error> failure;  // of the newest start; row.failure keeps its message over a restart

    bool active() const { return row.lifecycle != Lifecycle::stopped && row.lifecycle != Lifecycle::failed; }
    // Adds a step of the start and wakes who follows it.
    void tell(int percent, std::string message);
    bool ready() const { return row.lifecycle == Lifecycle::ready; }
    // It runs, and nothing leads to it: it was taken off its network.
    bool unreachable() const { return ready() && row.target_url.empty(); }
    // On its way to ready: waiting for its turn, or under way.
    bool to_start() const {
        return row.lifecycle == Lifecycle::waiting || row.lifecycle == Lifecycle::starting;
    }
    // "spawn", "stop" or nothing: as JupyterHub spells it (hub-protocol §9.1).
    std::optional<std::string_view> pending() const;
    // "/user/ann/" or "/user/ann/gpu/" below the base path, escaped (hub-protocol §2.4).
    std::string prefix(std::string_view base_path) const;
};

// A start that an earlier hub promised is being decided anew, from this object's making until its end: what
// is then committed replaces the row, so nobody else judges the server meanwhile.
class TakingUp {
public:
    explicit TakingUp(std::shared_ptr<Server> server) : server_(std::move(server)) {
        server_->taking_up = true;
    }
    TakingUp(TakingUp&&) noexcept = default;
    TakingUp& operator=(TakingUp&&) = delete;
    ~TakingUp() {
        if (server_) server_->taking_up = false;
    }
    const std::shared_ptr<Server>& server() const { return server_; }

private:
    std::shared_ptr<Server> server_;
};

// What a user's servers are is decided by one use case at a time: whoever holds the user's claim. So neither
// a limit nor a rename or removal of the user can miss a start that is being committed. Given back when
// destroyed.
class Claim {
public:
    Claim(class Servers& servers, UserName user) : servers_(&servers), user_(std::move(user)) {}
    Claim(Claim&& other) noexcept
        : servers_(std::exchange(other.servers_, nullptr)), user_(std::move(other.user_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim();

private:
    Servers* servers_;
    UserName user_;
};

class Servers {
public:
    explicit Servers(asio::any_io_executor executor)
        : executor_(std::move(executor)), unclaimed_(executor_) {}

    // Waits until nobody else holds it. Held only while a decision is made and committed, never during
    // backend calls.
    awaitable<Claim> claim(UserName user);

    // `row` as it was committed; replaces nothing.
    Server& add(ServerKey key, store::ServerRow row);
    void remove(const ServerKey& key);
    std::shared_ptr<Server> find(const ServerKey& key) const;
    std::shared_ptr<Server> find(ServerId id) const;
    // The servers of one user by name, the default server first. Cheap: no other user's servers are looked
    // at.
    std::vector<std::shared_ptr<Server>> of_user(const UserName& user) const;
    std::vector<std::shared_ptr<Server>> all() const;
    std::size_t active_count() const;
    // Users with an active server, or with one that is ready; by id, each once.
    std::vector<UserId> owners(bool ready_only) const;
    void rename_user(const UserName& old_name, const UserName& new_name);  // its servers are stopped

private:
    friend class Claim;
    asio::any_io_executor executor_;
    Notifier unclaimed_;
    std::set<UserName> claimed_;
    std::unordered_map<UserName, std::map<ServerName, std::shared_ptr<Server>>> by_user_;
    std::unordered_map<std::int64_t, std::shared_ptr<Server>> by_id_;
    std::vector<std::pair<UserId, const Server*>> by_owner_;  // sorted
};

// "https://hub.example.org" of "https://hub.example.org/base/".
std::string origin_of(std::string_view url);
// Where people reach the hub: of public_url, else of bind_url.
std::string public_origin_of(const config::Options& options);

}  // namespace berth::hub
