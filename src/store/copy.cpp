#include "store/impl/copy.hpp"

#include "store/migrations/migrations.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace berth::store {

bool sync_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    return synced;
}

void sync_folder_of(const std::string& path) {
    auto folder = std::filesystem::path(path).parent_path().string();
    (void)sync_file(folder.empty() ? "." : folder);  // some file systems refuse; the file itself is synced
}

Result<void> copy_database(Connection& connection, const std::string& path) {
    auto failed = [&path](const std::string& why) {
        ::unlink(path.c_str());
        return Error{StoreErrc::unavailable, "The database could not be copied to " + path + ".", why};
    };
    // Made by us first, so that nobody else can ever read it; SQLite takes an empty file for none.
    const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0)
        return Error{
            StoreErrc::unavailable,
            "The database could not be copied to " + path + ".",
            std::strerror(errno)};
    ::close(made);
    try {
        std::string quoted;
        for (const char c : path)
            quoted += c == '\'' ? "''" : std::string(1, c);
        connection.execute_once("vacuum into '" + quoted + "'");
    } catch (const StoreFailure& failure) {
        return failed(failure.what());
    }
    if (!sync_file(path)) return failed(std::strerror(errno));
    sync_folder_of(path);
    return {};
}

std::string version_that_wrote(Connection& connection) {
    std::string version;
    try {
        connection.query(
            "select value from settings where name = 'berth_version'", "s", {}, [&](const RowView& row) {
                version = row.text(0);
            });
    } catch (const StoreFailure&) {
        return {};  // a schema so new that it keeps this elsewhere
    }
    return version;
}

std::string newer_schema(const std::string& path, std::int64_t schema, const std::string& berth_version) {
    const auto writer = berth_version.empty() ? "a newer Berth" : "Berth " + berth_version;
    return path + " was written by " + writer + " (schema " + std::to_string(schema) +
           "); this is Berth " BERTH_VERSION " and knows schema " +
           std::to_string(all_migrations().back().version) + ". Start " + writer +
           " or a later one, or restore a backup from before the upgrade.";
}

}  // namespace berth::store
