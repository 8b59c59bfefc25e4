// Processes that outlive us: started in a session of their own, known by pid and start time, ended with
// everything they left behind. All of it blocks, so it runs in the BlockingPool. Linux only (/proc, pidfd).
#pragma once

#include "base/result.hpp"
#include "spawn/spawner.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace berth::spawn::local {

// A pid is given away again; together with its start time (clock ticks since boot) it is not.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    bool operator==(const ProcessId&) const = default;
};

struct SystemUser {
    std::string name;
    std::string home;
    std::string shell;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
};
// Errors: no_such_user, not_permitted (it is root).
Result<SystemUser> find_system_user(const std::string& name);

struct ProcessSpec {
    std::vector<std::string> arguments;    // [0] is the program's absolute path
    std::vector<std::string> environment;  // "NAME=value"; all there is
    std::string directory;                 // made when missing
    std::string log_file;                  // takes stdout and stderr; begun anew
    std::optional<SystemUser> user;        // none: stays ours
};

// Forks; calls `before_exec` with the child's identity while the child waits; only then lets it run. So
// whatever before_exec writes is there before the program is, and if we die in between the program never
// runs. Errors: backend_failed (which step), bad_request (the program cannot be run), or before_exec's.
Result<ProcessId> start_process(
    const ProcessSpec& spec, const std::function<Result<void>(ProcessId)>& before_exec);

// Empty when no such process runs; one that ended and only waits to be reaped does not run.
std::optional<std::uint64_t> start_time_of(pid_t pid);
bool runs(ProcessId process);
// The exit status of our own ended child, reaping it; 128 + number after a signal. Empty: it runs, or is not
// our child.
std::optional<int> reap(pid_t pid);
// Those whose initial environment holds `entry` ("NAME=value"): also children that went into sessions of
// their own, as kernels and terminals do. Threads of ours are never among them.
std::vector<ProcessId> processes_with(const std::string& entry);
// The value that a running process began with.
std::optional<std::string> environment_value(pid_t pid, const std::string& name);
// Asks the process's group to end, after `grace` kills it and all with `marker`; returns when none is left.
// Error: start_timeout when some are left at the deadline.
Result<void> end_process(
    ProcessId process, const std::string& marker, std::chrono::milliseconds grace, Deadline deadline);

// A TCP port of the loopback address that nobody listens on now.
Result<std::uint16_t> free_port();

}  // namespace berth::spawn::local
