// A process that cannot become its user's does not run at all.
#include "spawn/spawners/local/process.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace berth::spawn::local {
namespace {

using namespace std::chrono_literals;

constexpr int kNoNamespace = 77;
constexpr id_t kInside = 1;  // our id there; nobody is 0, so privileges cannot come back either

bool write(const char* path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
}

// Into a user namespace whose kernel refuses setgroups() and allows setuid() and setgid().
bool forbid_setgroups() {
    const auto map = [](id_t outside) {
        return std::to_string(kInside) + " " + std::to_string(outside) + " 1";
    };
    const auto uid = ::geteuid();
    const auto gid = ::getegid();
    return ::unshare(CLONE_NEWUSER) == 0 && write("/proc/self/setgroups", "deny") &&
           write("/proc/self/uid_map", map(uid)) && write("/proc/self/gid_map", map(gid));
}

// What start_process() said there; "started" when it let the process run.
[[noreturn]] void start_there(const std::string& folder, int answer) {
    if (!forbid_setgroups()) ::_exit(kNoNamespace);
    ProcessSpec spec;
    spec.user = SystemUser{"ann", folder, "", kInside, kInside, {kInside}};
    spec.arguments = {"/bin/true"};
    spec.directory = folder;
    spec.log_file = folder + "/log";
    const auto begun = start_process(spec, [](ProcessId) { return Result<void>{}; }, Deadline::in(10s));
    const std::string said = begun ? "started" : begun.error().detail;
    ::_exit(::write(answer, said.data(), said.size()) < 0 ? 1 : 0);
}

// hub-protocol §20: setgroups() failed, and the notebook had the groups of the hub, root's among them.
TEST(StartProcess, DoesNotRunWithTheGroupsOfTheHub) {
    std::string folder = (std::filesystem::temp_directory_path() / "berth-start-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(folder.data()));
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const auto child = ::fork();  // a namespace is for good, and for a process of one thread
    if (child == 0) start_there(folder, ends[1]);
    ::close(ends[1]);
    std::array<char, 256> said{};
    const auto count = ::read(ends[0], said.data(), said.size());
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    std::filesystem::remove_all(folder);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNoNamespace)
        GTEST_SKIP() << "this kernel lets nobody make a user namespace";
    ASSERT_GT(count, 0) << status;
    EXPECT_EQ(
        std::string(said.data(), static_cast<std::size_t>(count)),
        std::string("setgroups: ").append(std::strerror(EPERM)));
}

}  // namespace
}  // namespace berth::spawn::local
