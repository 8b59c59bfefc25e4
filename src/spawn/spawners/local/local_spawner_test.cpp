#include "spawn/spawners/local/local_spawner.hpp"

#include "spawn/environment.hpp"
#include "spawn/spawner_contract_test.hpp"
#include "spawn/spawners/local/ending.hpp"
#include "spawn/spawners/local/launch.hpp"
#include "spawn/spawners/local/records.hpp"

#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace berth::spawn::test {
namespace {

// Answers on the port of JUPYTERHUB_SERVICE_URL, and starts a child in a session of its own, as kernels are.
constexpr std::string_view kServer = R"(
import http.server, os, subprocess, sys, urllib.parse
print("serving with", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
url = urllib.parse.urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer((url.hostname, url.port), http.server.BaseHTTPRequestHandler).serve_forever()
)";

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "berth-local-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

class LocalSubject {
public:
    static constexpr bool kStarts = true;
    static constexpr bool kAnswers = true;

    explicit LocalSubject(Harness& harness) : harness_(harness) {
        program_ = folder_.path() + "/server.py";
        std::ofstream(program_) << kServer;
        options.command = "python3 " + program_;
        restart_hub();
    }
    std::string unavailable() { return ""; }
    Spawner& spawner() { return *spawner_; }
    void restart_hub() {
        spawner_ =
            make_local_spawner(harness_.io.get_executor(), pool, options, spawn, folder_.path() + "/state");
    }
    StartPlan plan(std::int64_t server, std::int64_t generation) {
        StartPlan plan;
        plan.instance = "test-" + std::to_string(::getpid());
        plan.key = {UserName("ann " + std::to_string(server)), ServerName("")};
        plan.server = ServerId{server};
        plan.generation = generation;
        plan.devices = {DeviceUuid("GPU-aaaa"), DeviceUuid("GPU-bbbb")};
        plan.service_prefix = service_prefix("/", plan.key);
        plan.environment = {{"JUPYTERHUB_API_TOKEN", "secret"}, {"CUDA_VISIBLE_DEVICES", "all"}};
        return plan;
    }
    void kill(const StartPlan&, const Endpoint& endpoint) {
        ::kill(static_cast<pid_t>(endpoint.state.at("pid").as_int64()), SIGKILL);
    }
    const std::string& folder() const { return folder_.path(); }

    config::LocalOptions options;
    config::SpawnOptions spawn;
    BlockingPool pool{2, 100};

private:
    Harness& harness_;
    Folder folder_;
    std::string program_;
    std::unique_ptr<Spawner> spawner_;
};

// While it lives, this process can open nothing: every open() fails with EMFILE.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{0, before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

std::size_t count_with(const std::string& marker) {
    const auto all = local::all_processes(marker);
    return static_cast<std::size_t>(
        std::count_if(all->begin(), all->end(), [](const local::Seen& seen) { return seen.marked; }));
}

bool is_there(pid_t pid) {
    const auto seen = *local::look_at(pid);
    return seen && !seen->ended;
}

using Local = testing::Types<LocalSubject>;
INSTANTIATE_TYPED_TEST_SUITE_P(Local, SpawnerContract, Local);
INSTANTIATE_TYPED_TEST_SUITE_P(Local, StartingSpawnerContract, Local);

class LocalSpawnerTest : public testing::Test {
protected:
    void TearDown() override {
        auto left = harness.run(subject.spawner().list(subject.plan(1, 1).instance, ListOf::ours, soon()));
        for (const auto& found : left->found) {
            auto plan = subject.plan(number_of(found.server), found.generation);
            EXPECT_TRUE(harness.run(subject.spawner().stop(plan, nullptr, soon())));
        }
    }
    Result<Endpoint> start(const StartPlan& plan) {
        return harness.run(subject.spawner().start(plan, {}, soon()));
    }
    Status wait_until_gone(const StartPlan& plan, const Endpoint& endpoint) {
        Status status;
        harness.run_until(
            [&] {
                status = *harness.run(subject.spawner().poll(plan, endpoint.state, soon()));
                return status.liveness == Liveness::gone;
            },
            10s);
        return status;
    }
    // Starts a Python program that writes a number into the file "pid", and waits for that.
    pid_t start_and_read_pid(StartPlan& plan, const std::string& program) {
        const auto file = subject.folder() + "/pid";
        plan.profile.command = {"python3", "-c", program};
        plan.environment["PID_FILE"] = file;
        const auto started = start(plan);
        EXPECT_TRUE(started) << started.error().message << started.error().detail;
        pid_t pid = 0;
        harness.run_until([&] { return (std::ifstream(file) >> pid) && pid > 0; }, 10s);
        EXPECT_GT(pid, 0);
        return pid;
    }
    static awaitable<> stop_then_note(
        Spawner* spawner, StartPlan plan, std::optional<Result<void>>* outcome) {
        outcome->emplace(co_await spawner->stop(std::move(plan), nullptr, soon()));
    }

    Harness harness;
    LocalSubject subject{harness};
};

TEST_F(LocalSpawnerTest, StopEndsAlsoWhatWentIntoSessionsOfItsOwn) {
    const auto plan = subject.plan(1, 1);
    const auto marker = local::marker_of(plan.instance, plan.server);
    ASSERT_TRUE(start(plan));
    ASSERT_TRUE(harness.run_until([&] { return count_with(marker) >= 2; }, 10s));
    ASSERT_TRUE(harness.run(subject.spawner().stop(plan, nullptr, soon())));
    EXPECT_EQ(count_with(marker), 0U);
}

// A grandchild in a session of its own, with nothing of the environment.
constexpr const char* kDaemon = R"py(
import os, subprocess, time
code = "import os, subprocess; child = subprocess.Popen(['sleep', '1000'], start_new_session=True, env={});" \
       "open(os.environ['PID_FILE'], 'w').write(str(child.pid) + '\\n'); import time; time.sleep(1000)"
subprocess.Popen(["python3", "-c", code], start_new_session=True)
time.sleep(1000)
)py";

TEST_F(LocalSpawnerTest, StopEndsAlsoWhatDroppedTheEnvironment) {
    auto plan = subject.plan(1, 1);
    const auto daemon = start_and_read_pid(plan, kDaemon);
    ASSERT_TRUE(is_there(daemon));
    ASSERT_TRUE(harness.run(subject.spawner().stop(plan, nullptr, soon())));
    EXPECT_FALSE(is_there(daemon));
}

TEST_F(LocalSpawnerTest, StopAfterTheLeaderDiedEndsWhatIsLeftOfItsSession) {
    auto plan = subject.plan(1, 1);
    const auto child = start_and_read_pid(plan, R"(
import os, subprocess
subprocess.Popen(["sleep", "1000"])
child = subprocess.Popen(["sleep", "1000"], env={})
open(os.environ["PID_FILE"], "w").write(str(child.pid) + "\n")
)");
    const auto marker = local::marker_of(plan.instance, plan.server);
    ASSERT_TRUE(harness.run_until(
        [&] {
            return harness.run(subject.spawner().poll(plan, nullptr, soon()))->liveness == Liveness::gone;
        },
        10s));
    ASSERT_TRUE(is_there(child));
    ASSERT_TRUE(harness.run(subject.spawner().stop(plan, nullptr, soon())));
    EXPECT_FALSE(is_there(child));
    EXPECT_EQ(count_with(marker), 0U);
}

TEST_F(LocalSpawnerTest, StopSignalsNoGroupThatTookTheNumberOfAnEndedLeader) {
    const pid_t foreign = ::fork();
    if (foreign == 0) {
        ::setsid();
        ::pause();
        ::_exit(0);
    }
    ASSERT_TRUE(harness.run_until([&] { return ::getsid(foreign) == foreign; }, 10s));
    const auto plan = subject.plan(9, 1);
    const SpawnState stale = json::object{{"pid", foreign}, {"start_time", 1}, {"port", 1}};
    EXPECT_TRUE(harness.run(subject.spawner().stop(plan, stale, soon())));
    EXPECT_TRUE(is_there(foreign));
    ::kill(foreign, SIGKILL);
    ::waitpid(foreign, nullptr, 0);
}

TEST_F(LocalSpawnerTest, WhatCannotBeReadIsNotGone) {
    const auto plan = subject.plan(1, 1);
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint);
    const auto process = local::from_state(endpoint->state)->process;
    {
        const NoDescriptors none;
        auto& spawner = subject.spawner();
        for (const auto& error :
             {harness.run(spawner.poll(plan, endpoint->state, soon())).error(),
              harness.run(spawner.list(plan.instance, ListOf::ours, soon())).error(),
              harness.run(spawner.stop(plan, endpoint->state, soon())).error(),
              harness.run(spawner.verify(plan, endpoint->state, soon())).error(),
              local::runs(process).error(),
              local::all_processes("X=1").error(),
              harness.run(local::end_process(subject.pool, process, "X=1", 1s, soon())).error()}) {
            EXPECT_TRUE(error.is(SpawnErrc::backend_failed)) << error.message;
            EXPECT_NE(error.detail.find("Too many open files"), std::string::npos) << error.detail;
        }
    }
    EXPECT_TRUE(is_there(process.pid));
    EXPECT_EQ(
        harness.run(subject.spawner().poll(plan, endpoint->state, soon()))->liveness, Liveness::running);
    EXPECT_EQ(harness.run(subject.spawner().list(plan.instance, ListOf::ours, soon()))->found.size(), 1U);
}

TEST_F(LocalSpawnerTest, RecordsThatCannotBeReadAreNotNoRecords) {
    std::filesystem::create_directories(subject.folder() + "/state");
    EXPECT_TRUE(harness.run(subject.spawner().list("any", ListOf::ours, soon()))->found.empty())
        << "never made: nothing runs";
    std::ofstream(subject.folder() + "/state/local") << "not a folder";
    EXPECT_FALSE(harness.run(subject.spawner().list("any", ListOf::ours, soon())));
    EXPECT_FALSE(harness.run(subject.spawner().stop(subject.plan(1, 1), nullptr, soon())));
    std::filesystem::remove(subject.folder() + "/state/local");
}

TEST_F(LocalSpawnerTest, StopWaitsForTheGraceOfTheOptionAndKeepsNoThreadOfThePool) {
    subject.spawn.stop_timeout = 2s;
    subject.restart_hub();
    auto plan = subject.plan(1, 1);
    const auto stubborn = start_and_read_pid(plan, R"(
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(os.environ["PID_FILE"], "w").write(str(os.getpid()) + "\n")
time.sleep(1000)
)");
    std::optional<Result<void>> first;
    std::optional<Result<void>> second;
    const auto begun = std::chrono::steady_clock::now();
    // As many as the pool has threads: were they to wait there, nobody could sign in meanwhile.
    harness.scope.spawn("stop", OnStop::cancel, stop_then_note(&subject.spawner(), plan, &first));
    harness.scope.spawn("stop", OnStop::cancel, stop_then_note(&subject.spawner(), plan, &second));
    harness.run_until([&] { return std::chrono::steady_clock::now() - begun > 200ms; });
    auto work = [] { return 1; };
    EXPECT_TRUE(harness.run(subject.pool.run(work)));
    EXPECT_FALSE(first || second) << "the pool was free only after the stop";
    EXPECT_TRUE(is_there(stubborn));
    ASSERT_TRUE(harness.run_until([&] { return first && second; }, 60s));
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_TRUE(*first && *second);
    EXPECT_FALSE(is_there(stubborn));
    EXPECT_GE(took, 2s);
    EXPECT_LT(took, 9s) << "the grace was not that of the option";
}

TEST_F(LocalSpawnerTest, ChildThatHangsOnItsWayIsGivenUpAtTheDeadline) {
    local::ProcessSpec spec;
    spec.arguments = {"/bin/true"};
    spec.directory = subject.folder();
    spec.log_file = subject.folder() + "/log";
    local::ProcessId child;
    const auto stop_it = [&](local::ProcessId process) -> Result<void> {  // as a chdir to a dead disk does
        child = process;
        ::kill(process.pid, SIGSTOP);
        return {};
    };
    const auto started = local::start_process(spec, stop_it, Deadline::in(50ms));
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().is(SpawnErrc::start_timeout)) << started.error().detail;
    EXPECT_FALSE(is_there(child.pid));
}

TEST_F(LocalSpawnerTest, EndAtOnceBringsTheLastLogLinesAndTheExitCode) {
    auto plan = subject.plan(1, 1);
    plan.profile.command = {"sh", "-c", "echo first; echo the disk is full >&2; exit 3"};
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint);
    const auto status = wait_until_gone(plan, *endpoint);
    EXPECT_EQ(status.exit_code, 3);
    EXPECT_EQ(status.last_log_lines, "first\nthe disk is full");
    // Whoever looks at its devices first says no less, and does not blame a device.
    const auto verified = harness.run(subject.spawner().verify(plan, endpoint->state, soon()));
    ASSERT_FALSE(verified);
    EXPECT_TRUE(verified.error().is(SpawnErrc::exited_early));
    EXPECT_EQ(
        verified.error().message,
        "The notebook process ended at once with exit code 3. Its last lines:\nfirst\nthe disk is full");
}

TEST_F(LocalSpawnerTest, NoSecretIsInArgumentsRecordsOrLogs) {
    const auto plan = subject.plan(1, 1);
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint);
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(subject.folder() + "/state")) {
        if (entry.is_regular_file()) {
            std::ifstream file(entry.path());
            all.append(std::istreambuf_iterator<char>(file), {});
        }
    }
    const auto pid = std::to_string(endpoint->state.at("pid").as_int64());
    std::string arguments;
    EXPECT_TRUE(harness.run_until(
        [&] {  // they are empty for a moment after exec
            std::ifstream command_line("/proc/" + pid + "/cmdline");
            arguments.assign(std::istreambuf_iterator<char>(command_line), {});
            return arguments.find("server.py") != std::string::npos;
        },
        10s));
    all += arguments;
    EXPECT_EQ(all.find("secret"), std::string::npos);
}

TEST_F(LocalSpawnerTest, WithoutALeaseNoDeviceIsVisible) {
    auto plan = subject.plan(1, 1);
    plan.devices.clear();
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint);
    const auto pid = static_cast<pid_t>(endpoint->state.at("pid").as_int64());
    EXPECT_EQ(*local::environment_value(pid, "CUDA_VISIBLE_DEVICES"), "");
    EXPECT_EQ(*local::environment_value(pid, "NVIDIA_VISIBLE_DEVICES"), "void");
    const auto verified = harness.run(subject.spawner().verify(plan, endpoint->state, soon()));
    EXPECT_TRUE(verified) << verified.error().message << verified.error().detail;
}

TEST_F(LocalSpawnerTest, InheritsNothingOfTheHubButAFewNames) {
    ::setenv("BERTH_TEST_HUB_SECRET", "1", 1);
    const auto endpoint = start(subject.plan(1, 1));
    ::unsetenv("BERTH_TEST_HUB_SECRET");
    ASSERT_TRUE(endpoint);
    const auto pid = static_cast<pid_t>(endpoint->state.at("pid").as_int64());
    EXPECT_FALSE(*local::environment_value(pid, "BERTH_TEST_HUB_SECRET"));
    EXPECT_TRUE(*local::environment_value(pid, "PATH"));
    EXPECT_EQ(*local::environment_value(pid, "HOME"), subject.folder() + "/state/homes/ann-201");
    EXPECT_EQ(::getsid(pid), pid);
}

TEST_F(LocalSpawnerTest, AProcessWithTheSamePidButAnotherStartIsNotOurs) {
    const auto plan = subject.plan(9, 1);
    const SpawnState stale = json::object{{"pid", ::getpid()}, {"start_time", 1}, {"port", 1}};
    EXPECT_EQ(harness.run(subject.spawner().poll(plan, stale, soon()))->liveness, Liveness::gone);
    EXPECT_TRUE(harness.run(subject.spawner().stop(plan, stale, soon())));  // and this test lives on
}

TEST_F(LocalSpawnerTest, MissingProgramIsNamedTogetherWithTheOption) {
    subject.options.command = "/nowhere/jupyterhub-singleuser";
    subject.restart_hub();
    const auto checked = harness.run(subject.spawner().check(soon()));
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().message.find("local.command"), std::string::npos);
    EXPECT_FALSE(start(subject.plan(1, 1)));
}

TEST_F(LocalSpawnerTest, ProgramThatCannotRunIsAnErrorAndLeavesNothing) {
    const std::string program = subject.folder() + "/broken";
    std::ofstream(program) << "#!/nowhere/interpreter\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    subject.options.command = program;
    subject.restart_hub();
    const auto started = start(subject.plan(1, 1));
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().is(SpawnErrc::bad_request)) << started.error().detail;
    EXPECT_TRUE(harness.run(subject.spawner().list(subject.plan(1, 1).instance, ListOf::ours, soon()))
                    ->found.empty());
}

TEST_F(LocalSpawnerTest, SystemUsersThatDoNotExistOrAreNobodysOwnAreRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "local.system_users needs root";
    subject.options.system_users = true;
    subject.restart_hub();
    auto plan = subject.plan(1, 1);
    auto unknown = start(plan);
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(SpawnErrc::no_such_user));
    for (const auto* name : {"root", "daemon", "nobody"}) {
        plan.key.user = UserName(name);
        const auto refused = start(plan);
        ASSERT_FALSE(refused) << name;
        EXPECT_TRUE(refused.error().is(SpawnErrc::not_permitted)) << name << refused.error().message;
    }
}

void expect_owned_by(pid_t pid, uid_t owner) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    const std::string text(std::istreambuf_iterator<char>(status), {});
    const auto uid = std::to_string(owner);
    EXPECT_NE(text.find("Uid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid), std::string::npos) << text;
}

TEST_F(LocalSpawnerTest, SystemUserOwnsTheProcess) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto* account = ::getpwnam("daemon");
    ASSERT_TRUE(account);
    local::ProcessSpec spec;
    spec.user = local::SystemUser{"daemon", "/", "", account->pw_uid, account->pw_gid, {account->pw_gid}};
    spec.arguments = {"/bin/sleep", "1000"};
    spec.directory = "/";
    spec.log_file = subject.folder() + "/log";
    const auto process = local::start_process(spec, [](local::ProcessId) { return Result<void>{}; }, soon());
    ASSERT_TRUE(process) << process.error().detail;
    expect_owned_by(process->pid, account->pw_uid);
    EXPECT_TRUE(harness.run(local::end_process(subject.pool, *process, "X=1", 1s, soon())));
    EXPECT_TRUE(local::reap(process->pid));
}

// An account of a person whose home is there; "" when this machine has none.
std::string somebody() {
    std::string name;
    ::setpwent();
    while (const auto* each = ::getpwent()) {
        const bool has_home = std::filesystem::is_directory(each->pw_dir);
        if (name.empty() && has_home && local::find_system_user(each->pw_name)) name = each->pw_name;
    }
    ::endpwent();
    return name;
}

TEST_F(LocalSpawnerTest, ServerOfASystemUserIsItsOwn) {
    if (::geteuid() != 0) GTEST_SKIP() << "local.system_users needs root";
    const auto name = somebody();
    if (name.empty()) GTEST_SKIP() << "this machine has no account of a person with a home";
    subject.options.system_users = true;
    subject.options.command = "sleep 1000";
    subject.restart_hub();
    auto plan = subject.plan(1, 1);
    plan.key.user = UserName(name);
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().detail;
    expect_owned_by(
        static_cast<pid_t>(endpoint->state.at("pid").as_int64()), local::find_system_user(name)->uid);
    EXPECT_TRUE(harness.run(subject.spawner().stop(plan, endpoint->state, soon())));
}

}  // namespace
}  // namespace berth::spawn::test
