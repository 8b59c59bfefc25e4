// A consistent copy of an open database, and what a refusal of a newer one says. Blocking.
#pragma once

#include "base/result.hpp"
#include "store/impl/connection.hpp"

#include <string>

namespace berth::store {

// To `path`, where nothing is: readable for its owner alone, durable when this returns. Error: unavailable,
// with the reason as detail, and no file.
Result<void> copy_database(Connection& connection, const std::string& path);

// The Berth that wrote it last, or "" when it does not say.
std::string version_that_wrote(Connection& connection);
std::string newer_schema(const std::string& path, std::int64_t schema, const std::string& berth_version);

bool sync_file(const std::string& path);
void sync_folder_of(const std::string& path);

}  // namespace berth::store
