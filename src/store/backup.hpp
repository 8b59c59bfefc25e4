// The whole database as one file, taken while a hub works on it, and back into an empty state directory. Both
// block; for commands, not for the hub strand.
#pragma once

#include "base/result.hpp"
#include "base/units.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::store {

enum class BackupErrc {
    exists = 1,   // nothing is overwritten
    unreadable,   // not there, damaged, or no Berth database
    newer,        // written by a newer Berth; the message names its version
    not_written,  // disk full, no rights: nothing is left behind
};
std::string_view text_of(BackupErrc reason);
BERTH_ERROR_CATEGORY(BackupErrc, "backup")

struct DatabaseFacts {
    std::int64_t schema = 0;
    std::string berth_version;  // that wrote it last; "" when it does not say
    std::int64_t users = 0;
    std::int64_t running_servers = 0;
    std::uint64_t bytes = 0;
    std::int64_t hub_port = 0;  // of the hub's own listener; 0: not said
    Timestamp newest{};         // of what it has recorded
};

std::int64_t newest_schema();  // that this Berth knows

// Reads and checks every page. Errors: unreadable, newer.
Result<DatabaseFacts> check_database(const std::string& path);
// A consistent copy of `state_dir`'s database at `file` (0600), durable when this returns. Errors: exists,
// unreadable, not_written.
Result<DatabaseFacts> back_up(const std::string& state_dir, const std::string& file);
// `file` becomes the database of `state_dir`, which has none. Errors: exists, unreadable, newer, not_written;
// StoreErrc::unopenable while a hub uses the directory.
Result<DatabaseFacts> restore(const std::string& file, const std::string& state_dir);

}  // namespace berth::store
