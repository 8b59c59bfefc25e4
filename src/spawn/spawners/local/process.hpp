// Processes that outlive us: started in a session of their own, known by pid and start time, looked at in
// /proc. "There is no such process" is an answer; when the kernel does not let us look (no descriptor left,
// no permission), that is an Error and never "gone": a lease would end while its notebook runs. All of it
// blocks, so it runs in the BlockingPool. How they are ended: ending.hpp. Linux only (/proc).
#pragma once

#include "async/deadline.hpp"
#include "base/result.hpp"
#include "spawn/spawner.hpp"
#include "spawn/spawners/local/accounts.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::spawn::local {

// A pid is given away again; together with its start time (clock ticks since boot) it is not.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_time = 0;
    auto operator<=>(const ProcessId&) const = default;
};

struct ProcessSpec {
    std::vector<std::string> arguments;    // [0] is the program's absolute path
    std::vector<std::string> environment;  // "NAME=value"; all there is
    std::string directory;                 // made when missing
    std::string log_file;                  // takes stdout and stderr; begun anew
    std::optional<SystemUser> user;        // none: stays ours
};

// Forks; calls `before_exec` with the child's identity while the child waits; only then lets it run. So
// whatever before_exec writes is there before the program is, and if we die in between the program never
// runs. Errors: backend_failed (which step), bad_request (the program cannot be run), start_timeout (it has
// not become the program at the deadline, as when its home hangs: it is killed, but may not be gone yet), or
// before_exec's.
Result<ProcessId> start_process(
    const ProcessSpec& spec, const std::function<Result<void>(ProcessId)>& before_exec, Deadline deadline);

// What a file holds; empty when there is none, or its process is gone. Error: backend_failed.
Result<std::optional<std::string>> contents_of(const std::string& path);

// One process, as its stat says.
struct Seen {
    ProcessId id;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    bool ended = false;   // with all its threads; it only waits to be reaped
    bool marked = false;  // its initial environment holds the entry that was asked for
};
// The text of /proc/PID/stat. Empty when it is none.
std::optional<Seen> seen_in(std::string_view stat);

// Empty when there is no such process; one that ended and only waits to be reaped is seen. Error:
// backend_failed.
Result<std::optional<Seen>> look_at(pid_t pid);
// Error: backend_failed.
Result<bool> runs(ProcessId process);
// All processes that we may look at, but ourselves. `entry` ("NAME=value") marks those that began with it.
// Error: backend_failed.
Result<std::vector<Seen>> all_processes(const std::string& entry);
// The exit status of our own ended child, reaping it; 128 + number after a signal. Empty: it runs, or is not
// our child.
std::optional<int> reap(pid_t pid);
// The value that a running process began with. Error: backend_failed.
Result<std::optional<std::string>> environment_value(pid_t pid, const std::string& name);

// A TCP port of the loopback address that nobody listens on now.
Result<std::uint16_t> free_port();  // see Ports
bool is_free(std::uint16_t port);

}  // namespace berth::spawn::local
