#include "proxy/handover.hpp"

#include "async/deadline.hpp"
#include "base/program.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

extern char** environ;

namespace berth::proxy {
namespace {

constexpr std::chrono::seconds kPatience{15};
constexpr const char* kReadyPipe = "BERTH_READY_PIPE";
constexpr int kPipeThere = STDERR_FILENO + 1;  // in the new program; the sockets follow
constexpr int kFirstSocketThere = kPipeThere + 1;

std::vector<std::string> environment_with(std::string sockets) {
    std::vector<std::string> settings;
    for (char** each = environ; *each != nullptr; ++each)
        settings.emplace_back(*each);
    settings.push_back(std::move(sockets));
    settings.emplace_back(kReadyPipe).append("=").append(std::to_string(kPipeThere));
    return settings;
}

Error not_started(const std::string& program, const std::string& why) {
    return Error{HandoverErrc::not_started, program + " does not take over, so this proxy goes on: " + why};
}

// 0, or errno.
int spawn(
    const std::string& program,
    const std::vector<std::string>& words,
    const std::vector<net::PassedSocket>& sockets,
    int ready,
    ::pid_t& child) {
    const auto settings = environment_with(net::name_passed_sockets(sockets, kFirstSocketThere));
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ready, kPipeThere);
    int next = kFirstSocketThere;
    for (const auto& socket : sockets)
        ::posix_spawn_file_actions_adddup2(&actions, socket.descriptor, next++);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, next);
    const auto argv = pointers_to(words);
    const auto environment = pointers_to(settings);
    const int refused =
        ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    return refused;
}

// Until it serves it is ours to end, however the wait for it ends: a stop cancels that.
class Child {
public:
    Child() = default;
    Child(const Child&) = delete;
    ~Child() {
        if (pid_ > 0) end_successor(pid_);
    }
    ::pid_t& pid() { return pid_; }
    int release() { return std::exchange(pid_, 0); }

private:
    ::pid_t pid_ = 0;
};

// One byte: it serves. An end without it: it is gone.
awaitable<Result<bool>> hear(asio::posix::stream_descriptor& pipe) {
    std::array<char, 1> byte{};
    const auto [failure, count] = co_await pipe.async_read_some(asio::buffer(byte), as_tuple);
    co_return !failure && count == 1;
}

}  // namespace

std::string_view text_of(HandoverErrc reason) {
    switch (reason) {
        case HandoverErrc::not_started:
            return "successor not started";
    }
    return "unknown";
}

Handover::Handover() : program_(own_program()), arguments_(command_of(::getpid())) {}

awaitable<Result<int>> Handover::start(std::vector<net::PassedSocket> sockets) const {
    std::array<int, 2> ends{-1, -1};
    int refused = ::pipe2(ends.data(), O_CLOEXEC) == 0 ? 0 : errno;
    // Above the places that the new program finds its descriptors at, or one copy would overwrite the next.
    const int ready =
        refused == 0 ? ::fcntl(ends[1], F_DUPFD_CLOEXEC, kFirstSocketThere + static_cast<int>(sockets.size()))
                     : -1;
    Child child;
    if (refused == 0) refused = spawn(program_, arguments_, sockets, ready, child.pid());
    ::close(ready);
    ::close(ends[1]);
    for (const auto& socket : sockets)
        ::close(socket.descriptor);
    if (refused != 0) {
        ::close(ends[0]);
        co_return not_started(program_, std::strerror(refused));
    }
    asio::posix::stream_descriptor pipe(co_await asio::this_coro::executor, ends[0]);
    const auto serves = co_await with_deadline(
        Deadline::in(kPatience), not_started(program_, "it was not ready in time"), hear(pipe));
    if (serves && *serves) co_return child.release();
    if (!serves) co_return serves.error();
    co_return not_started(program_, "it ended at once; its own message is in the log");
}

void end_successor(int pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

std::string kept_name(unsigned refusals) {
    return std::string(kKeptName).append(std::to_string(refusals % 1'000));  // the kernel keeps 15 bytes
}

void begin_as_successor() {
    if (std::getenv(kReadyPipe) != nullptr) ::prctl(PR_SET_NAME, kStartingName);
}

void tell_predecessor() {
    const char* text = std::getenv(kReadyPipe);
    if (text == nullptr) return;
    const int pipe = std::atoi(text);
    ::unsetenv(kReadyPipe);
    ::prctl(PR_SET_NAME, "berth");
    (void)!::write(pipe, "r", 1);  // whoever waits no longer needs no answer
    ::close(pipe);
}

}  // namespace berth::proxy
