// Opening: the lock on the state directory, the database file, its migrations.
#pragma once

#include "base/result.hpp"
#include "store/impl/connection.hpp"
#include "store/migrations/migrations.hpp"

#include <memory>
#include <string>

namespace berth::store {

// Held as long as the hub runs: two hubs on one state directory would give devices out twice.
class StateLock {
public:
    // Makes the directory (0700) when it is missing. Errors: unopenable, naming the path or the other hub's
    // pid.
    static Result<StateLock> take(const std::string& state_dir);
    StateLock(StateLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    StateLock& operator=(StateLock&&) = delete;
    ~StateLock();

private:
    explicit StateLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

struct Opened {
    std::unique_ptr<Connection> connection;
    std::int64_t highest_id = 0;  // ever given
    std::int64_t next_audit = 1;
};
// Brings it to the newest of `migrations`, after a copy of what was there to berth.schema-N.sqlite beside it.
// Errors: unopenable, schema_too_new, migration_failed.
Result<Opened> open_database(
    const std::string& state_dir, std::span<const Migration> migrations = all_migrations());

}  // namespace berth::store
