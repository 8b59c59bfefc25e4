#include "spawn/spawners/local/process.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace berth::spawn::local {
namespace {

using namespace std::chrono_literals;

std::string contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string proc(pid_t pid, std::string_view name) {
    return "/proc/" + std::to_string(pid) + "/" + std::string(name);
}

std::optional<pid_t> pid_named(const std::string& name) {
    pid_t pid = 0;
    const auto* end = name.data() + name.size();
    const auto [stopped, error] = std::from_chars(name.data(), end, pid);
    if (error != std::errc{} || stopped != end) return std::nullopt;
    return pid;
}

bool has_entry(std::string_view environment, std::string_view entry) {
    for (const auto each : split(environment, '\0')) {
        if (each == entry) return true;
    }
    return false;
}

void kill_all(const std::vector<ProcessId>& processes) {
    for (const auto& process : processes) {
        if (runs(process)) ::kill(process.pid, SIGKILL);
    }
}

bool wait_until_gone(ProcessId process, Deadline deadline) {
    while (runs(process)) {
        if (deadline.passed()) return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

}  // namespace

std::optional<std::uint64_t> start_time_of(pid_t pid) {
    const std::string stat = contents_of(proc(pid, "stat"));
    // "pid (name) state …": the name may hold spaces and brackets. Field 3 is the state, field 22 the start
    // time.
    const auto after_name = stat.rfind(')');
    if (after_name == std::string::npos) return std::nullopt;
    const auto fields = split(std::string_view(stat).substr(after_name + 2), ' ');
    if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
    std::uint64_t start_time = 0;
    std::from_chars(fields[19].data(), fields[19].data() + fields[19].size(), start_time);
    return start_time;
}

bool runs(ProcessId process) {
    return process.pid > 0 && start_time_of(process.pid) == process.start_time;
}

std::optional<int> reap(pid_t pid) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<ProcessId> processes_with(const std::string& entry) {
    std::vector<ProcessId> found;
    std::error_code error;
    for (auto it = std::filesystem::directory_iterator("/proc", error);
         it != std::filesystem::directory_iterator();
         it.increment(error)) {
        const auto pid = pid_named(it->path().filename().string());
        if (!pid || *pid == ::getpid() || !has_entry(contents_of(proc(*pid, "environ")), entry)) continue;
        if (const auto start_time = start_time_of(*pid)) found.push_back({*pid, *start_time});
    }
    return found;
}

std::optional<std::string> environment_value(pid_t pid, const std::string& name) {
    const std::string environment = contents_of(proc(pid, "environ"));
    for (const auto each : split(environment, '\0')) {
        if (each.starts_with(name + "=")) return std::string(each.substr(name.size() + 1));
    }
    return std::nullopt;
}

Result<void> end_process(
    ProcessId process, const std::string& marker, std::chrono::milliseconds grace, Deadline deadline) {
    if (runs(process)) {
        ::kill(-process.pid, SIGTERM);
        if (!wait_until_gone(process, deadline.earliest(Deadline::in(grace)))) {
            ::kill(-process.pid, SIGKILL);
            wait_until_gone(process, deadline);
        }
    }
    for (auto left = processes_with(marker); !left.empty(); left = processes_with(marker)) {
        kill_all(left);
        if (deadline.passed()) {
            return Error{
                SpawnErrc::start_timeout,
                "The notebook's processes did not end in time; the hub goes on trying.",
                std::to_string(left.size()) + " processes with " + marker + " are left"};
        }
        std::this_thread::sleep_for(5ms);
    }
    if (!runs(process)) return {};
    return Error{
        SpawnErrc::start_timeout,
        "The notebook process did not end in time; the hub goes on trying.",
        "pid " + std::to_string(process.pid)};
}

Result<std::uint16_t> free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool bound = fd >= 0 && ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
    if (fd >= 0) ::close(fd);
    if (!bound) return Error{SpawnErrc::backend_failed, "This machine has no free port for a notebook."};
    return ntohs(address.sin_port);
}

}  // namespace berth::spawn::local
