#include "app/successor.hpp"

#include "app/admin/exit_codes.hpp"
#include "base/program.hpp"
#include "net/inherited.hpp"
#include "obs/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace berth::app {
namespace {

constexpr int kPatienceSeconds = 60;

Error unfit(const std::string& why, std::string detail = {}) {
    return Error{
        SuccessorErrc::unfit,
        "The new program or configuration is not fit, so the hub goes on as it is: " + why,
        std::move(detail)};
}

// What it wrote until it ended or the time was over.
std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 4096> buffer{};
    pollfd waits{descriptor, POLLIN, 0};
    while (text.size() < 16 * 1024 && ::poll(&waits, 1, kPatienceSeconds * 1000) > 0) {
        const auto count = ::read(descriptor, buffer.data(), buffer.size());
        if (count <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
}

Result<void> ask(const std::string& program, std::vector<std::string> words) {
    words.emplace_back("--check");
    auto argv = pointers_to(words);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return unfit(std::strerror(errno));
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);  // Asio's are not close-on-exec
    ::pid_t child = 0;
    const int refused = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (refused != 0) {
        ::close(ends[0]);
        return unfit(program + " cannot be run", std::strerror(refused));
    }
    const auto said = read_all(ends[0]);
    ::close(ends[0]);
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == 0) {
        ::usleep(200'000);  // between the last word and the end
        if (::waitpid(child, &status, WNOHANG) == 0) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kDone) return {};
    return unfit(said.empty() ? program + " ended without a word" : said, "status " + std::to_string(status));
}

}  // namespace

std::string_view text_of(SuccessorErrc reason) {
    switch (reason) {
        case SuccessorErrc::unfit:
            return "successor not fit";
    }
    return "unknown";
}

Successor::Successor() : program_(own_program()), arguments_(command_of(::getpid())) {}

awaitable<Result<void>> Successor::check() {
    auto work = [program = program_, words = arguments_] { return ask(program, words); };
    auto answer = co_await pool_.run(std::move(work));
    if (!answer) co_return answer.error();
    co_return *std::move(answer);
}

int Successor::take_over() const {
    const auto argv = pointers_to(arguments_);
    net::close_the_rest_on_exec();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(program_.c_str(), argv.data());
    log::error("hub.not_replaced", {{"program", program_}, {"why", std::strerror(errno)}});
    return kFailed;
}

}  // namespace berth::app
