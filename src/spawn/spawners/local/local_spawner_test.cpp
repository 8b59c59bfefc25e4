#include "spawn/spawners/local/local_spawner.hpp"

#include "spawn/environment.hpp"
#include "spawn/spawner_contract_test.hpp"
#include "spawn/spawners/local/launch.hpp"

#include <signal.h>
#include <unistd.h>

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
            make_local_spawner(harness_.io.get_executor(), pool_, options, {}, folder_.path() + "/state");
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

private:
    Harness& harness_;
    Folder folder_;
    std::string program_;
    BlockingPool pool_{2, 100};
    std::unique_ptr<Spawner> spawner_;
};

using Local = testing::Types<LocalSubject>;
INSTANTIATE_TYPED_TEST_SUITE_P(Local, SpawnerContract, Local);
INSTANTIATE_TYPED_TEST_SUITE_P(Local, StartingSpawnerContract, Local);

class LocalSpawnerTest : public testing::Test {
protected:
    void TearDown() override {
        auto left = harness.run(subject.spawner().list(subject.plan(1, 1).instance, soon()));
        for (const auto& found : *left) {
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
    Harness harness;
    LocalSubject subject{harness};
};

TEST_F(LocalSpawnerTest, StopEndsAlsoWhatWentIntoSessionsOfItsOwn) {
    const auto plan = subject.plan(1, 1);
    const auto marker = local::marker_of(plan.instance, plan.server);
    ASSERT_TRUE(start(plan));
    ASSERT_TRUE(harness.run_until([&] { return local::processes_with(marker).size() >= 2; }, 10s));
    ASSERT_TRUE(harness.run(subject.spawner().stop(plan, nullptr, soon())));
    EXPECT_TRUE(local::processes_with(marker).empty());
}

TEST_F(LocalSpawnerTest, EndAtOnceBringsTheLastLogLinesAndTheExitCode) {
    auto plan = subject.plan(1, 1);
    plan.profile.command = {"sh", "-c", "echo first; echo the disk is full >&2; exit 3"};
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint);
    const auto status = wait_until_gone(plan, *endpoint);
    EXPECT_EQ(status.exit_code, 3);
    EXPECT_EQ(status.last_log_lines, "first\nthe disk is full");
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
    EXPECT_EQ(local::environment_value(pid, "CUDA_VISIBLE_DEVICES"), "");
    EXPECT_EQ(local::environment_value(pid, "NVIDIA_VISIBLE_DEVICES"), "void");
    EXPECT_TRUE(harness.run(subject.spawner().verify(plan, endpoint->state, soon())));
}

TEST_F(LocalSpawnerTest, InheritsNothingOfTheHubButAFewNames) {
    ::setenv("BERTH_TEST_HUB_SECRET", "1", 1);
    const auto endpoint = start(subject.plan(1, 1));
    ::unsetenv("BERTH_TEST_HUB_SECRET");
    ASSERT_TRUE(endpoint);
    const auto pid = static_cast<pid_t>(endpoint->state.at("pid").as_int64());
    EXPECT_FALSE(local::environment_value(pid, "BERTH_TEST_HUB_SECRET"));
    EXPECT_TRUE(local::environment_value(pid, "PATH"));
    EXPECT_EQ(local::environment_value(pid, "HOME"), subject.folder() + "/state/homes/ann-201");
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
    EXPECT_TRUE(harness.run(subject.spawner().list(subject.plan(1, 1).instance, soon()))->empty());
}

TEST_F(LocalSpawnerTest, SystemUsersThatDoNotExistOrAreRootAreRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "local.system_users needs root";
    subject.options.system_users = true;
    subject.restart_hub();
    auto plan = subject.plan(1, 1);
    auto unknown = start(plan);
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().is(SpawnErrc::no_such_user));
    plan.key.user = UserName("root");
    auto root = start(plan);
    ASSERT_FALSE(root);
    EXPECT_TRUE(root.error().is(SpawnErrc::not_permitted));
}

TEST_F(LocalSpawnerTest, SystemUserOwnsTheProcess) {
    if (::geteuid() != 0) GTEST_SKIP() << "local.system_users needs root";
    subject.options.system_users = true;
    subject.options.command = "sleep 1000";
    subject.restart_hub();
    auto plan = subject.plan(1, 1);
    plan.key.user = UserName("daemon");
    auto spec = local::find_system_user("daemon");
    ASSERT_TRUE(spec);
    const auto endpoint = start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().detail;
    std::ifstream status("/proc/" + std::to_string(endpoint->state.at("pid").as_int64()) + "/status");
    const std::string text(std::istreambuf_iterator<char>(status), {});
    const auto uid = std::to_string(spec->uid);
    EXPECT_NE(text.find("Uid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid), std::string::npos) << text;
    EXPECT_TRUE(harness.run(subject.spawner().stop(plan, endpoint->state, soon())));
}

}  // namespace
}  // namespace berth::spawn::test
