// The database: the truth that outlives the process. The hub's memory is the working copy; every change is
// committed here before anyone is told of it and before any engine is called.
//
// One writer thread owns the connection. commit() queues a change; the writer runs every change that waits in
// one transaction (each in a savepoint, so that a refused one takes no other along), syncs once, and answers
// all: group commit. SQLite in WAL mode with synchronous=FULL; statements are plain SQL that PostgreSQL runs
// as well.
#pragma once

#include "async/awaitable.hpp"
#include "base/result.hpp"
#include "store/rows.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

enum class StoreErrc {
    unopenable = 1,  // message names the path and what to do
    schema_too_new,  // written by a newer Berth
    migration_failed,
    constraint,   // the change contradicts a row that is there; nothing of it was written
    unavailable,  // disk full, I/O error: nothing of the batch was written
};
std::string_view text_of(StoreErrc reason);
BERTH_ERROR_CATEGORY(StoreErrc, "store")

// The open transaction a change runs in; the functions of store/queries.hpp take it. Store thread only.
class Transaction;
// Runs on the store thread, so it captures by value. It may throw only what the queries throw.
using Change = std::function<void(Transaction&)>;

// Everything the hub keeps in memory, read once at start.
struct Snapshot {
    std::vector<UserRow> users;
    std::vector<GroupRow> groups;
    std::vector<RoleRow> roles;
    std::vector<ServiceRow> services;
    std::vector<TokenRow> tokens;
    std::vector<OAuthClientRow> oauth_clients;
    std::vector<OAuthCodeRow> oauth_codes;
    std::vector<SessionRow> sessions;
    std::vector<InviteRow> invites;
    std::vector<ServerRow> servers;
    std::vector<DeviceRow> devices;
    std::vector<LeaseRow> leases;  // live ones only: not released
    std::vector<QueueEntryRow> queue;
    std::int64_t next_id = 1;  // greater than every id in every table, ended leases included
};

class Store {
public:
    // Opens or creates the database in `state_dir`/berth.sqlite and migrates it. Errors: unopenable,
    // schema_too_new, migration_failed.
    static Result<std::unique_ptr<Store>> open(const std::string& state_dir);
    virtual ~Store() = default;

    virtual Result<Snapshot> load() = 0;  // before the first commit; blocks
    // Resumes on the caller's executor once the change is durable, or with constraint / unavailable and no
    // trace of it. Changes are applied in the order of the calls. Cancelling the caller does not undo the
    // change.
    virtual awaitable<Result<void>> commit(Change change) = 0;
    // Queues a change nobody waits for (activity times, audit of refusals); a failure is logged.
    virtual void commit_later(Change change) = 0;
    // Reads on the store thread, after every change queued before.
    virtual awaitable<Result<void>> read(Change query) = 0;

    // A small durable text under a key ("instance_id", "cookie_secret"), or nothing. Before the first commit;
    // blocks.
    virtual Result<std::optional<std::string>> setting(const std::string& key) = 0;
    virtual Result<void> put_setting(const std::string& key, const std::string& value) = 0;
    // Waits for what is queued, then closes. Called once, at the end.
    virtual void close() = 0;
};

// Ids for new rows: one sequence over all tables, never reused. Hub strand only.
class Ids {
public:
    explicit Ids(std::int64_t next) : next_(next) {}
    template <class Id>
    Id next() {
        return static_cast<Id>(next_++);
    }
    // Whether it was ever given out here: one that was not comes from a database that is newer than ours.
    template <class Id>
    bool knows(Id id) const {
        return number_of(id) < next_;
    }
    // That id is in use, whoever gave it out.
    template <class Id>
    void skip_past(Id id) {
        next_ = std::max(next_, number_of(id) + 1);
    }

private:
    std::int64_t next_;
};

}  // namespace berth::store
