#include "spawn/spawners/local/process.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <thread>

namespace berth::spawn::local {
namespace {

using namespace std::chrono_literals;

// In the middle of exec a process has no environment; wrappers (pyenv's, conda's) exec several times in a
// row.
constexpr auto kLongestExec = 1s;

// Read, or the reason (an errno) why not.
struct Reading {
    std::string text;
    int error = 0;

    bool is_missing() const { return error == ENOENT || error == ESRCH; }
    bool is_forbidden() const { return error == EACCES || error == EPERM; }
};

Reading read_all(const std::string& path) {
    int fd = -1;
    do
        fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return {{}, errno};
    Reading reading;
    std::array<char, 16 * 1024> piece{};
    for (;;) {
        const auto got = ::read(fd, piece.data(), piece.size());
        if (got > 0) reading.text.append(piece.data(), static_cast<std::size_t>(got));
        if (got > 0 || (got < 0 && errno == EINTR)) continue;
        if (got < 0) reading.error = errno;
        ::close(fd);
        return reading;
    }
}

Error cannot_look(const std::string& what, const std::string& why) {
    return Error{
        SpawnErrc::backend_failed,
        "The hub cannot see whether the notebook runs, so it leaves everything as it is and tries again. The "
        "administrator should look at the hub's log.",
        what + ": " + why};
}

Error cannot_look(const std::string& path, int error) {
    return cannot_look(path, std::strerror(error));
}

std::string proc(pid_t pid, std::string_view name) {
    return "/proc/" + std::to_string(pid) + "/" + std::string(name);
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stopped != text.data() + text.size()) return std::nullopt;
    return number;
}

bool has_entry(std::string_view environment, std::string_view entry) {
    for (const auto each : split(environment, '\0')) {
        if (each == entry) return true;
    }
    return false;
}

std::optional<std::string> value_in(std::string_view environment, const std::string& name) {
    for (const auto each : split(environment, '\0')) {
        if (each.starts_with(name + "=")) return std::string(each.substr(name.size() + 1));
    }
    return std::nullopt;
}

Result<std::optional<Seen>> seen_of(const Reading& stat, pid_t pid) {
    if (stat.is_missing()) return std::optional<Seen>{};
    if (stat.error) return cannot_look(proc(pid, "stat"), stat.error);
    auto seen = seen_in(stat.text);
    if (!seen) return cannot_look(proc(pid, "stat"), "not understood: " + stat.text);
    return seen;
}

// One of a scan. What we may not look at belongs to somebody else: a hub that is not root starts only
// processes of its own user. A program of that user's may still hide its environment (ssh-agent, sudo); it is
// found as a descendant, never by its mark, and to call it an error would let one such program keep every
// stop from ending.
Result<std::optional<Seen>> seen_in_scan(pid_t pid, const std::string& entry) {
    const auto stat = read_all(proc(pid, "stat"));
    if (stat.is_forbidden()) return std::optional<Seen>{};
    BERTH_TRY(auto seen, seen_of(stat, pid));
    if (!seen) return seen;
    const auto path = proc(pid, "environ");
    const auto environment = read_all(path);
    if (environment.error && !environment.is_missing() && !environment.is_forbidden())
        return cannot_look(path, environment.error);
    seen->marked = has_entry(environment.text, entry);
    return seen;
}

}  // namespace

Result<std::optional<std::string>> contents_of(const std::string& path) {
    auto reading = read_all(path);
    if (reading.is_missing()) return std::optional<std::string>{};
    if (reading.error) return cannot_look(path, reading.error);
    return std::optional(std::move(reading.text));
}

std::optional<Seen> seen_in(std::string_view stat) {
    // "pid (name) state parent group session …": the name may hold spaces and brackets. After it, the state
    // is the first field, the number of threads the 18th, the start time the 20th (proc(5) counts two more).
    const auto after_name = stat.rfind(") ");
    if (after_name == std::string_view::npos) return std::nullopt;
    const auto fields = split(stat.substr(after_name + 2), ' ');
    if (fields.size() < 20) return std::nullopt;
    const auto pid = number_in<pid_t>(stat.substr(0, stat.find(' ')));
    const auto parent = number_in<pid_t>(fields[1]);
    const auto group = number_in<pid_t>(fields[2]);
    const auto session = number_in<pid_t>(fields[3]);
    const auto threads = number_in<long>(fields[17]);
    const auto start_time = number_in<std::uint64_t>(fields[19]);
    if (!pid || !parent || !group || !session || !threads || !start_time) return std::nullopt;
    Seen seen{{*pid, *start_time}, *parent, *group, *session};
    // A zombie with more than one thread has lost only its first: the others run on.
    seen.ended = fields[0] == "X" || (fields[0] == "Z" && *threads <= 1);
    return seen;
}

Result<std::optional<Seen>> look_at(pid_t pid) {
    return seen_of(read_all(proc(pid, "stat")), pid);
}

Result<bool> runs(ProcessId process) {
    if (process.pid <= 0) return false;
    BERTH_TRY(const auto seen, look_at(process.pid));
    return seen && !seen->ended && seen->id == process;
}

Result<std::vector<Seen>> all_processes(const std::string& entry) {
    std::vector<Seen> all;
    std::error_code error;
    auto it = std::filesystem::directory_iterator("/proc", error);
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
        const auto pid = number_in<pid_t>(it->path().filename().string());
        if (!pid || *pid == ::getpid()) continue;
        BERTH_TRY(auto seen, seen_in_scan(*pid, entry));
        if (seen) all.push_back(*seen);
    }
    if (error) return cannot_look("/proc", error.message());
    return all;
}

std::optional<int> reap(pid_t pid) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<std::optional<std::string>> environment_value(pid_t pid, const std::string& name) {
    const auto limit = Deadline::in(kLongestExec);
    for (;;) {
        BERTH_TRY(const auto environment, contents_of(proc(pid, "environ")));
        BERTH_TRY(const auto seen, look_at(pid));
        const bool is_between = environment && environment->empty() && seen && !seen->ended;
        if (!is_between || limit.passed()) return value_in(environment.value_or(""), name);
        std::this_thread::sleep_for(1ms);
    }
}

namespace {

// The port that a bind to this one got; 0: none.
std::uint16_t try_bind(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool bound = fd >= 0 && ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
    if (fd >= 0) ::close(fd);
    return bound ? ntohs(address.sin_port) : 0;
}

}  // namespace

Result<std::uint16_t> free_port() {
    const auto port = try_bind(0);
    if (port == 0) return Error{SpawnErrc::backend_failed, "This machine has no free port for a notebook."};
    return port;
}

bool is_free(std::uint16_t port) {
    return try_bind(port) == port;
}

}  // namespace berth::spawn::local
