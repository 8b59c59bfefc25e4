#include "store/impl/open.hpp"

#include "base/units.hpp"
#include "obs/log.hpp"
#include "store/impl/copy.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace berth::store {

namespace {

Error unwritable(const std::string& path, int reason) {
    const std::string why = std::strerror(reason);
    return Error{
        StoreErrc::unopenable,
        "The state directory cannot be used: " + path + ": " + why +
            ". Give it to the user Berth runs as, or set state_dir to a directory that can be written.",
        path + ": " + why};
}

std::string owner_of(int descriptor) {
    std::array<char, 32> text{};
    const auto count = ::pread(descriptor, text.data(), text.size() - 1, 0);
    std::string pid(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!pid.empty() && pid.back() == '\n')
        pid.pop_back();
    return pid.empty() ? "an unknown process" : "process " + pid;
}

}  // namespace

Result<StateLock> StateLock::take(const std::string& state_dir) {
    std::error_code failure;
    const bool existed = std::filesystem::exists(state_dir, failure);
    if (!existed) {
        std::filesystem::create_directories(state_dir, failure);
        if (failure) return unwritable(state_dir, failure.value());
        std::filesystem::permissions(state_dir, std::filesystem::perms::owner_all, failure);
    }
    const auto path = state_dir + "/berth.lock";
    StateLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.descriptor_ < 0) return unwritable(path, errno);
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return unwritable(path, errno);
        return Error{
            StoreErrc::unopenable,
            "Another hub (" + owner_of(lock.descriptor_) + ") uses the state directory " + state_dir +
                ". Stop it, or set state_dir to another directory.",
            "flock " + path};
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock.descriptor_, 0) != 0 ||
        ::pwrite(lock.descriptor_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        return unwritable(path, errno);
    return lock;
}

StateLock::~StateLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

namespace {

std::int64_t number_from(Connection& connection, const char* sql) {
    std::int64_t number = 0;
    connection.query(sql, "i", {}, [&](const RowView& row) { number = row.integer(0); });
    return number;
}

void configure(Connection& connection) {
    connection.execute_once("pragma busy_timeout = 5000");
    connection.execute_once("pragma journal_mode = wal");
    connection.execute_once("pragma synchronous = full");
    connection.execute_once("pragma foreign_keys = on");
}

// What the database was before, whole, under the name of its schema: the way back from an upgrade.
Result<void> keep_copy(Connection& connection, const std::string& state_dir, std::int64_t schema) {
    const auto kept = state_dir + "/berth.schema-" + std::to_string(schema) + ".sqlite";
    const auto draft = kept + ".part";
    ::unlink(draft.c_str());  // of a try that was killed
    auto copied = copy_database(connection, draft);
    if (copied && ::rename(draft.c_str(), kept.c_str()) != 0)
        copied = Error{StoreErrc::unavailable, {}, std::strerror(errno)};
    if (!copied)
        return Error{
            StoreErrc::migration_failed,
            "The database could not be copied to " + kept +
                " before its upgrade, so nothing was changed. Free disk space, then start again.",
            copied.error().detail};
    sync_folder_of(kept);
    log::info("store.copied_before_upgrade", {{"to", kept}, {"schema", schema}});
    return {};
}

Result<void> migrate(
    Connection& connection,
    const std::string& state_dir,
    const std::string& path,
    std::span<const Migration> migrations) {
    connection.execute_once(
        R"(create table if not exists schema_version (version bigint primary key, name text not null,
           applied bigint not null))");
    const auto current = number_from(connection, "select coalesce(max(version), 0) from schema_version");
    if (current > migrations.back().version)
        return Error{
            StoreErrc::schema_too_new, newer_schema(path, current, version_that_wrote(connection)), path};
    if (current > 0 && current < migrations.back().version)
        BERTH_CHECK(keep_copy(connection, state_dir, current));
    for (const auto& migration : migrations) {
        if (migration.version <= current) continue;
        try {
            connection.execute_once("begin immediate");
            for (const auto* statement : migration.statements)
                connection.execute_once(statement);
            connection.execute(
                "insert into schema_version (version, name, applied) values (:version, :name, :applied)",
                {std::int64_t{migration.version}, migration.name, now_utc()});
            connection.execute_once("commit");
        } catch (const StoreFailure& failure) {
            return Error{
                StoreErrc::migration_failed,
                "The database " + path + " could not be brought to schema " +
                    std::to_string(migration.version) +
                    ". Nothing was changed; restore a backup or free disk space, then start again.",
                failure.what()};
        }
    }
    connection.execute(
        R"(insert into settings (name, value) values ('berth_version', :version)
           on conflict (name) do update set value = excluded.value)",
        {BERTH_VERSION});
    return {};
}

// For rows that an older Berth or a person wrote without telling settings.next_id.
std::int64_t highest_id_in(Connection& connection) {
    return number_from(
        connection,
        R"(select coalesce(max(n), 0) from (
           select max(id) as n from users union all select max(id) from groups union all
           select max(id) from roles union all select max(id) from services union all
           select max(id) from tokens union all select max(id) from servers union all
           select max(id) from leases union all select max(id) from queue_entries union all
           select max(id) from usage_intervals union all
           select cast(value as bigint) from settings where name = 'highest_id') as ids)");
}

}  // namespace

Result<Opened> open_database(const std::string& state_dir, std::span<const Migration> migrations) {
    const auto path = state_dir + "/berth.sqlite";
    if (path.find('"') != std::string::npos)
        return Error{StoreErrc::unopenable, "state_dir may not contain a double quote.", path};
    // Made by us first, so that nobody else can ever read it.
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return unwritable(path, errno);
    ::close(descriptor);
    try {
        Opened opened;
        opened.connection = std::make_unique<Connection>(path);
        configure(*opened.connection);
        BERTH_CHECK(migrate(*opened.connection, state_dir, path, migrations));
        opened.highest_id = highest_id_in(*opened.connection);
        opened.next_audit =
            number_from(*opened.connection, "select coalesce(max(sequence), 0) + 1 from audit");
        return opened;
    } catch (const StoreFailure& failure) {
        return Error{
            StoreErrc::unopenable,
            "The database " + path +
                " cannot be opened: it is damaged, is no Berth database, or its disk is full or read-only. "
                "Restore a backup, or move it away to begin anew.",
            failure.what()};
    }
}

}  // namespace berth::store
