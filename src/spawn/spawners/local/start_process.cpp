#include "base/program.hpp"
#include "spawn/spawners/local/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, not C's
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

namespace berth::spawn::local {
namespace {

using namespace std::chrono_literals;

// From being let go to being the program: a chdir to the home and an exec. A pool thread waits for so long.
constexpr auto kLongestBecoming = 30s;
constexpr auto kLongestReaping = 500ms;

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        close();
        fd_ = std::exchange(other.fd_, -1);
        return *this;
    }
    ~Descriptor() { close(); }
    int get() const { return fd_; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Error failed(std::string_view step, int error) {
    return Error{
        SpawnErrc::backend_failed,
        "The notebook process could not be started. Ask the administrator to look at the hub's log.",
        std::string(step) + ": " + std::strerror(error)};
}

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("pipe", errno);
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// What the child reports when it could not become the program.
enum class Step : int { groups, gid, uid, directory, exec };
struct Report {
    Step step{};
    int error = 0;
};

std::string_view name_of(Step step) {
    switch (step) {
        case Step::groups:
            return "setgroups";
        case Step::gid:
            return "setgid";
        case Step::uid:
            return "setuid";
        case Step::directory:
            return "chdir";
        case Step::exec:
            return "exec";
    }
    return "start";
}

struct ChildFiles {
    int go = -1;
    int report = -1;
    int log = -1;
    int null = -1;
};

[[noreturn]] void report_and_exit(int report, Step step) {
    const Report message{step, errno};
    const auto written = ::write(report, &message, sizeof message);
    ::_exit(written == sizeof message ? 126 : 127);
}

// Runs between fork and exec of a process with threads: async-signal-safe calls only, no memory is taken.
[[noreturn]] void become(
    const ProcessSpec& spec, char* const* arguments, char* const* environment, ChildFiles files) {
    ::setsid();
    char go = 0;
    if (::read(files.go, &go, 1) != 1) ::_exit(0);  // the hub died, or could not write its record

    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number = 1; number < 32; ++number)
        ::signal(number, SIG_DFL);
    ::umask(022);
    ::dup2(files.null, STDIN_FILENO);
    ::dup2(files.log, STDOUT_FILENO);
    ::dup2(files.log, STDERR_FILENO);

    if (spec.user) {
        if (::setgroups(spec.user->groups.size(), spec.user->groups.data()) != 0)
            report_and_exit(files.report, Step::groups);
        if (::setresgid(spec.user->gid, spec.user->gid, spec.user->gid) != 0)
            report_and_exit(files.report, Step::gid);
        if (::setresuid(spec.user->uid, spec.user->uid, spec.user->uid) != 0)
            report_and_exit(files.report, Step::uid);
        if (::setuid(0) == 0) report_and_exit(files.report, Step::uid);  // privileges must not come back
    }
    if (::chdir(spec.directory.c_str()) != 0) report_and_exit(files.report, Step::directory);
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(arguments[0], arguments, environment);
    report_and_exit(files.report, Step::exec);
}

Result<void> prepare_directory(const ProcessSpec& spec) {
    std::error_code error;
    if (std::filesystem::is_directory(spec.directory, error)) return {};
    std::filesystem::create_directories(spec.directory, error);
    if (error) return failed("create " + spec.directory, error.value());
    ::chmod(spec.directory.c_str(), 0700);
    if (spec.user && ::chown(spec.directory.c_str(), spec.user->uid, spec.user->gid) != 0)
        return failed("chown", errno);
    return {};
}

// Waits for the child's word, or for exec to close the pipe.
Result<void> wait_for_report(const Descriptor& report, Deadline deadline) {
    const auto limit = deadline.earliest(Deadline::in(kLongestBecoming));
    pollfd ready{report.get(), POLLIN, 0};
    int count = 0;
    do
        count = ::poll(&ready, 1, static_cast<int>(limit.left().count()));
    while (count < 0 && errno == EINTR);
    if (count < 0) return failed("poll", errno);
    if (count > 0) return {};
    return Error{
        SpawnErrc::start_timeout,
        "The notebook process did not get to its home folder in time. Try again in a minute; the "
        "administrator "
        "should look at the disk that it is on.",
        "neither running nor refused"};
}

// Lets the child go on and waits until it is the program or has said why not.
Result<void> let_go(Descriptor go, const Descriptor& report, const ProcessSpec& spec, Deadline deadline) {
    const char byte = 1;
    if (::write(go.get(), &byte, 1) != 1) return failed("start", errno);
    BERTH_CHECK(wait_for_report(report, deadline));
    Report message;
    ssize_t got = 0;
    do
        got = ::read(report.get(), &message, sizeof message);
    while (got < 0 && errno == EINTR);
    if (got == 0) return {};  // closed by exec
    if (got < 0) return failed("read", errno);
    if (message.step == Step::exec) {
        return Error{
            SpawnErrc::bad_request,
            "The notebook program could not be run. Ask the administrator to check local.command.",
            spec.arguments[0] + ": " + std::strerror(message.error)};
    }
    return failed(name_of(message.step), message.error);
}

// A child that is not to run. Not even SIGKILL ends one at once while the kernel waits for a disk, so it is
// not waited for without limit.
void give_up_on(pid_t child) {
    ::kill(child, SIGKILL);
    const auto limit = Deadline::in(kLongestReaping);
    while (::waitpid(child, nullptr, WNOHANG) == 0 && !limit.passed())
        std::this_thread::sleep_for(1ms);
}

// Its start time, without which it could not be told from a later process of the same pid.
Result<ProcessId> identity_of(pid_t child) {
    BERTH_TRY(const auto seen, look_at(child));
    if (!seen) return failed("fork", ESRCH);
    return seen->id;
}

}  // namespace

Result<ProcessId> start_process(
    const ProcessSpec& spec, const std::function<Result<void>(ProcessId)>& before_exec, Deadline deadline) {
    BERTH_CHECK(prepare_directory(spec));
    const Descriptor log(
        ::open(spec.log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    if (log.get() < 0) return failed("open " + spec.log_file, errno);
    const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    BERTH_TRY(auto go, make_pipe());
    BERTH_TRY(auto report, make_pipe());
    const auto arguments = pointers_to(spec.arguments);
    const auto environment = pointers_to(spec.environment);

    const pid_t pid = ::fork();
    if (pid < 0) return failed("fork", errno);
    if (pid == 0) {
        ::close(go.write.get());  // else its own copy would keep the pipe open when we die
        become(
            spec,
            arguments.data(),
            environment.data(),
            ChildFiles{
                .go = go.read.get(), .report = report.write.get(), .log = log.get(), .null = null.get()});
    }
    report.write.close();
    auto child = identity_of(pid);
    Result<void> outcome = child ? before_exec(*child) : Result<void>(child.error());
    if (outcome)
        outcome = let_go(std::move(go.write), report.read, spec, deadline);
    else
        go.write.close();
    if (outcome) return child;
    give_up_on(pid);
    return outcome.error();
}

}  // namespace berth::spawn::local
