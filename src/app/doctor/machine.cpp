// The state directory, the database, the clock, the limits of processes.
#include "app/doctor/checks.hpp"
#include "base/units.hpp"
#include "store/backup.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace berth::app {
namespace {

constexpr std::uint64_t kMiB = 1024ULL * 1024;
constexpr std::uint64_t kTooLittle = 64 * kMiB;  // a migration copies the database first
constexpr std::uint64_t kLittle = 1024 * kMiB;

std::string in_mib(std::uint64_t bytes) {
    return std::to_string(bytes / kMiB) + " MiB";
}

void check_disk(const std::string& folder, Report& report) {
    struct statvfs disk{};
    if (::statvfs(folder.c_str(), &disk) != 0) return;
    const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    const auto found = in_mib(free) + " are free for " + folder;
    if (free < kTooLittle)
        report.fail(
            "disk",
            found,
            "Free space, or move state_dir: with a full disk nothing can be started or changed.");
    else if (free < kLittle)
        report.warn("disk", found, "Free space, or move state_dir, before it is full.");
    else
        report.ok("disk", found);
    if (disk.f_files > 0 && disk.f_favail < 1000)
        report.fail(
            "inodes", std::to_string(disk.f_favail) + " files can be made", "Remove files on this disk.");
}

bool is_network_disk(const std::string& folder) {
    struct statfs disk{};
    if (::statfs(folder.c_str(), &disk) != 0) return false;
    constexpr unsigned long kNfs = 0x6969;
    constexpr unsigned long kCifs = 0xFF534D42;
    constexpr unsigned long kSmb2 = 0xFE534D42;
    const auto kind = static_cast<unsigned long>(disk.f_type) & 0xFFFFFFFFUL;
    return kind == kNfs || kind == kCifs || kind == kSmb2;
}

// Writes, syncs and removes a file, as the database will.
bool can_write(const std::string& folder) {
    const auto path = folder + "/.doctor-" + std::to_string(::getpid());
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const bool written = ::write(file, "berth\n", 6) == 6 && ::fsync(file) == 0;
    const int reason = errno;
    ::close(file);
    ::unlink(path.c_str());
    errno = reason;
    return written;
}

}  // namespace

void check_state_dir(const config::Options& options, Report& report) {
    const auto& folder = options.state_dir;
    struct stat status{};
    if (::stat(folder.c_str(), &status) != 0) {
        if (errno == ENOENT)
            report.note("state_dir", folder + " is not there yet; the hub makes it");
        else
            report.fail(
                "state_dir",
                folder + ": " + std::strerror(errno),
                "Give it to the account that Berth runs as.");
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        report.fail("state_dir", folder + " is no directory", "Set state_dir to a directory.");
        return;
    }
    if (!can_write(folder))
        report.fail(
            "state_dir",
            folder + " cannot be written to: " + std::strerror(errno),
            "Give it to the account that Berth runs as (chown), mount it for writing, or set state_dir to "
            "another "
            "directory.");
    else if ((status.st_mode & 0077U) != 0)
        report.warn(
            "state_dir",
            folder + " is open to other accounts of this machine, and holds secrets",
            "chmod 700 " + folder);
    else
        report.ok("state_dir", folder + " can be written to, by its owner alone");
    if (is_network_disk(folder))
        report.warn(
            "state_dir",
            folder + " is on a network disk, where SQLite and locks are not safe",
            "Put state_dir on a disk of this machine.");
    check_disk(folder, report);
}

void check_database(const config::Options& options, Facts& facts, Report& report) {
    const auto path = options.state_dir + "/berth.sqlite";
    if (::access(path.c_str(), F_OK) != 0) {
        report.note("database", "there is none yet; the hub makes it");
        return;
    }
    const auto found = store::check_database(path);
    if (!found) {
        const bool newer = found.error().is(store::BackupErrc::newer);
        report.fail(
            "database",
            found.error().message,
            newer ? "Start that version, or restore a backup from before the upgrade."
                  : "Stop the hub, move " + path + "* away, and restore a backup: berth restore FILE");
        return;
    }
    facts.hub_port = static_cast<std::uint16_t>(found->hub_port);
    const auto what = "schema " + std::to_string(found->schema) + ", " + std::to_string(found->users) +
                      " users, " + in_mib(found->bytes);
    if (found->schema < store::newest_schema())
        report.warn(
            "database",
            what + ", of an older Berth",
            "Nothing: the next start upgrades it and keeps a copy. This Berth cannot go back after that.");
    else
        report.ok("database", "every page is sound; " + what);
}

void check_clock(const config::Options& options, Report& report) {
    const auto path = options.state_dir + "/berth.sqlite";
    if (::access(path.c_str(), R_OK) == 0) {
        if (const auto found = store::check_database(path);
            found && found->newest > now_utc() + std::chrono::minutes(1)) {
            report.fail(
                "clock",
                "it is " + format_rfc3339(now_utc()) + " here, but the database has records of " +
                    format_rfc3339(found->newest),
                "Set the clock: somebody set it back, and tokens, sessions and leases would live too long.");
            return;
        }
    }
    timex state{};
    const bool synchronised =
        ::adjtimex(&state) >= 0 && (static_cast<unsigned>(state.status) & STA_UNSYNC) == 0;
    if (synchronised)
        report.ok("clock", "a time service keeps it");
    else
        report.warn(
            "clock",
            "no time service keeps it, as far as the kernel knows",
            "Install chrony or turn systemd-timesyncd on (timedatectl set-ntp true); on a machine inside "
            "another, look "
            "there.");
}

void check_limits(Report& report) {
    rlimit limit{};
    constexpr rlim_t kEnough = 8192;
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const auto found = std::to_string(limit.rlim_max) + " open files at most";
    if (limit.rlim_max < kEnough)
        report.warn(
            "limits",
            found + "; an open notebook needs two to ten",
            "Raise it: LimitNOFILE=65536 in the unit, or ulimit -n.");
    else
        report.ok("limits", found);
}

}  // namespace berth::app
