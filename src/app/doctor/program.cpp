#include "app/doctor/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

extern char** environ;

namespace berth::app {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;

// Reads until the end, the first line, or the deadline. False: the deadline came first.
bool read_output(
    int descriptor, std::chrono::steady_clock::time_point limit, Until until, std::string& output) {
    std::array<char, 4096> buffer{};
    while (output.size() < kMostBytes) {
        if (until == Until::first_line && output.find('\n') != std::string::npos) return true;
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now());
        pollfd waits{descriptor, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&waits, 1, static_cast<int>(left.count())) == 0) return false;
        const auto count = ::read(descriptor, buffer.data(), buffer.size());
        if (count <= 0) return true;
        output.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace

ProgramResult run_program(std::vector<std::string> words, std::chrono::milliseconds patience, Until until) {
    ProgramResult result;
    std::array<int, 2> output{};
    std::array<int, 2> input{};  // never written to: the GPU agent ends when it closes
    if (::pipe2(output.data(), O_CLOEXEC) != 0 || ::pipe2(input.data(), O_CLOEXEC) != 0) return result;
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
    ::pid_t child = 0;
    const int refused = ::posix_spawnp(&child, words[0].c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(output[1]);
    ::close(input[0]);
    if (refused == 0) {
        const auto limit = std::chrono::steady_clock::now() + patience;
        const bool in_time = read_output(output[0], limit, until, result.output);
        if (!in_time || until == Until::first_line) ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
        if (WIFSIGNALED(status) && in_time) result.exit_code = 128 + WTERMSIG(status);
    }
    result.not_found = refused == ENOENT || refused == EACCES;
    ::close(output[0]);
    ::close(input[1]);
    return result;
}

}  // namespace berth::app
