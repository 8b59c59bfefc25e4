#include "gpu/agent_client.hpp"

#include "async/deadline.hpp"
#include "base/program.hpp"
#include "base/result.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <utility>

extern char** environ;  // NOLINT(readability-redundant-declaration): not every libc declares it

namespace berth::gpu {
namespace {

constexpr std::size_t kLongestLine = 4 << 20;

struct Pipe {
    int read_end = -1;
    int write_end = -1;

    Pipe() {
        std::array<int, 2> ends{-1, -1};
        if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
            read_end = ends[0];
            write_end = ends[1];
        }
    }
    Pipe(const Pipe&) = delete;
    ~Pipe() {
        if (read_end >= 0) ::close(read_end);
        if (write_end >= 0) ::close(write_end);
    }
    bool open() const { return read_end >= 0; }
};

// posix_spawn, not fork: it does not copy page tables, so the hub strand waits well under a millisecond. It
// runs on the hub's thread and not in the pool, because the kernel sends the child's death signal when that
// *thread* ends.
Result<pid_t> spawn(const std::vector<std::string>& command, int input, int output) {
    const auto argv = pointers_to(command);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(
        &files, STDERR_FILENO + 1);  // Asio's sockets are not close-on-exec

    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);  // Ctrl-C at the hub's terminal is the hub's
    posix_spawnattr_setflags(
        &attributes,
        static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));

    pid_t pid = -1;
    const int failed =
        ::posix_spawn(&pid, command.front().c_str(), &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) {
        return Error{
            boost::system::error_code(failed, boost::system::system_category()),
            "The GPU agent could not be started.",
            command.front() + ": " + std::strerror(failed)};
    }
    return pid;
}

std::vector<std::string> command_of(const AgentClientOptions& options) {
    if (!options.command.empty()) return options.command;
    return {
        "/proc/self/exe",
        "gpu-agent",
        "--library",
        options.library,
        "--interval-ms",
        std::to_string(options.interval.count())};
}

}  // namespace

// A running agent; destroying it kills it and leaves the pid to reap().
struct AgentClient::Child {
    Child(AgentClient& owner, pid_t started, int to_child, asio::posix::stream_descriptor from_child)
        : client(owner), pid(started), input(to_child), output(std::move(from_child)) {}
    Child(const Child&) = delete;
    ~Child() {
        ::close(input);
        ::kill(pid, SIGKILL);
        client.unreaped_.push_back(pid);
    }

    AgentClient& client;
    pid_t pid;
    int input;  // never written to: the agent ends when it closes
    asio::posix::stream_descriptor output;
    std::string buffer;
};

AgentClient::AgentClient(AgentClientOptions options, OnReport on_report, OnSilent on_silent)
    : options_(std::move(options)), on_report_(std::move(on_report)), on_silent_(std::move(on_silent)) {}

AgentClient::~AgentClient() {
    reap();
}

Result<std::unique_ptr<AgentClient::Child>> AgentClient::start(const asio::any_io_executor& executor) {
    Pipe to_child;
    Pipe from_child;
    if (!to_child.open() || !from_child.open()) {
        return Error{
            boost::system::error_code(errno, boost::system::system_category()),
            "The GPU agent could not be started.",
            std::string("pipe: ") + std::strerror(errno)};
    }
    BERTH_TRY(const pid_t pid, spawn(command_of(options_), to_child.read_end, from_child.write_end));
    asio::posix::stream_descriptor output(executor, std::exchange(from_child.read_end, -1));
    return std::make_unique<Child>(*this, pid, std::exchange(to_child.write_end, -1), std::move(output));
}

// A process stuck in the driver does not die of SIGKILL before the driver lets it; nobody waits for it here.
void AgentClient::reap() {
    std::erase_if(unreaped_, [](int pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

awaitable<Result<std::string>> AgentClient::read_line(Child& child) {
    auto limited = asio::dynamic_buffer(child.buffer, kLongestLine);
    auto done = co_await asio::async_read_until(child.output, limited, '\n', as_tuple);
    auto& [failed, length] = done;
    if (failed == asio::error::operation_aborted) throw boost::system::system_error(failed);
    if (failed) co_return Error{failed, "The GPU agent ended.", failed.message()};
    std::string line = child.buffer.substr(0, length - 1);
    child.buffer.erase(0, length);
    co_return line;
}

awaitable<std::string> AgentClient::read_until_silent(Child& child) {
    for (;;) {
        const auto patience = heard_ ? options_.interval + options_.silence_limit : options_.first_limit;
        Error silent(asio::error::timed_out, "The GPU agent has been silent for too long; it was killed.");
        auto line = co_await with_deadline(Deadline::in(patience), std::move(silent), read_line(child));
        if (!line) co_return line.error().message;
        auto report = parse_agent_line(*line);
        if (!report) co_return "The GPU agent wrote something that is not a report.";
        heard_ = true;
        on_report_(*report);
    }
}

awaitable<> AgentClient::run() {
    const auto executor = co_await asio::this_coro::executor;
    auto backoff = options_.first_backoff;
    for (;;) {
        reap();
        ++restarts_;
        heard_ = false;
        std::string why;
        if (auto child = start(executor)) {
            why = co_await read_until_silent(**child);
        } else {
            why = child.error().message + " " + child.error().detail;
        }
        on_silent_(why);
        if (heard_) backoff = options_.first_backoff;
        co_await sleep_for(backoff);
        backoff = std::min(backoff * 2, options_.longest_backoff);
    }
}

}  // namespace berth::gpu
