#include "store/backup.hpp"

#include "store/impl/copy.hpp"
#include "store/impl/open.hpp"
#include "store/migrations/migrations.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace berth::store {
namespace {

Error not_written(const std::string& path, const std::string& why) {
    return Error{BackupErrc::not_written, "Cannot write " + path + ": " + why + ". Nothing was changed."};
}

Error unreadable(const std::string& path, const std::string& why) {
    return Error{BackupErrc::unreadable, path + " is no database of Berth that can be read: " + why + "."};
}

// A file that goes away unless it is kept.
class Draft {
public:
    explicit Draft(std::string path) : path_(std::move(path)) { ::unlink(path_.c_str()); }
    Draft(const Draft&) = delete;
    ~Draft() { ::unlink(path_.c_str()); }
    const std::string& path() const { return path_; }
    // Under its final name, where nothing may be yet.
    Result<void> keep_as(const std::string& name) const {
        if (::link(path_.c_str(), name.c_str()) == 0) {
            sync_folder_of(name);
            return {};
        }
        if (errno == EEXIST)
            return Error{
                BackupErrc::exists, name + " exists already and is not overwritten. Choose another name."};
        return not_written(name, std::strerror(errno));
    }

private:
    std::string path_;
};

Result<void> copy_file(const std::string& from, const std::string& to) {
    std::error_code failure;
    std::filesystem::copy_file(from, to, failure);
    if (!failure)
        std::filesystem::permissions(
            to, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, failure);
    if (failure) return not_written(to, failure.message());
    return sync_file(to) ? Result<void>{} : not_written(to, std::strerror(errno));
}

Result<DatabaseFacts> facts_of(const std::string& path) {
    DatabaseFacts facts;
    std::string verdict;
    try {
        Connection connection(path);
        connection.execute_once("pragma busy_timeout = 10000");
        connection.query(
            "pragma integrity_check(1)", "s", {}, [&](const RowView& row) { verdict = row.text(0); });
        if (verdict != "ok") return unreadable(path, verdict);
        auto number = [&](const char* sql, std::int64_t& into) {
            connection.query(sql, "i", {}, [&](const RowView& row) { into = row.integer(0); });
        };
        number("select max(version) from schema_version", facts.schema);
        facts.berth_version = version_that_wrote(connection);
        if (facts.schema > newest_schema())
            return Error{BackupErrc::newer, newer_schema(path, facts.schema, facts.berth_version)};
        number("select count(*) from users", facts.users);
        number(
            "select count(*) from servers where lifecycle not in ('stopped', 'failed')",
            facts.running_servers);
        number("select cast(value as bigint) from settings where name = 'hub_port'", facts.hub_port);
        std::int64_t newest = 0;
        number("select coalesce(max(at), 0) from audit", newest);
        facts.newest = Timestamp(std::chrono::microseconds(newest));
    } catch (const StoreFailure& failure) {
        return unreadable(path, failure.what());
    }
    std::error_code ignored;  // only told
    facts.bytes = std::filesystem::file_size(path, ignored);
    return facts;
}

}  // namespace

std::string_view text_of(BackupErrc reason) {
    switch (reason) {
        case BackupErrc::exists:
            return "exists already";
        case BackupErrc::unreadable:
            return "unreadable";
        case BackupErrc::newer:
            return "written by a newer Berth";
        case BackupErrc::not_written:
            return "not written";
    }
    return "unknown";
}

std::int64_t newest_schema() {
    return all_migrations().back().version;
}

Result<DatabaseFacts> check_database(const std::string& path) {
    if (::access(path.c_str(), R_OK) != 0) return unreadable(path, std::strerror(errno));
    return facts_of(path);
}

Result<DatabaseFacts> back_up(const std::string& state_dir, const std::string& file) {
    const auto database = state_dir + "/berth.sqlite";
    if (::access(database.c_str(), R_OK) != 0) return unreadable(database, std::strerror(errno));
    if (std::filesystem::exists(file))
        return Error{
            BackupErrc::exists, file + " exists already and is not overwritten. Choose another name."};
    const Draft draft(file + ".part");
    try {
        Connection connection(database);
        connection.execute_once("pragma busy_timeout = 10000");
        if (auto copied = copy_database(connection, draft.path()); !copied)
            return not_written(draft.path(), copied.error().detail);
    } catch (const StoreFailure& failure) {
        return unreadable(database, failure.what());
    }
    BERTH_TRY(auto facts, facts_of(draft.path()));
    BERTH_CHECK(draft.keep_as(file));
    return facts;
}

Result<DatabaseFacts> restore(const std::string& file, const std::string& state_dir) {
    if (::access(file.c_str(), R_OK) != 0) return unreadable(file, std::strerror(errno));
    BERTH_TRY(const auto lock, StateLock::take(state_dir));
    const auto database = state_dir + "/berth.sqlite";
    for (const auto* end : {"", "-wal", "-journal"})
        if (std::filesystem::exists(database + end))
            return Error{
                BackupErrc::exists,
                database + end + " exists already and is not overwritten. Move berth.sqlite* away first."};
    const Draft draft(state_dir + "/berth.restoring.sqlite");
    BERTH_CHECK(copy_file(file, draft.path()));
    BERTH_TRY(auto facts, facts_of(draft.path()));
    struct stat folder{};
    if (::geteuid() == 0 && ::stat(state_dir.c_str(), &folder) == 0 &&
        ::chown(draft.path().c_str(), folder.st_uid, folder.st_gid) != 0)
        return not_written(draft.path(), std::strerror(errno));
    BERTH_CHECK(draft.keep_as(database));
    return facts;
}

}  // namespace berth::store
