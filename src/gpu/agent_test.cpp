// The agent process and its client, against the stand-in NVML (tests/stand-ins/nvml).
#include "async/task_scope.hpp"
#include "gpu/agent_client.hpp"
#include "gpu/process_list.hpp"
#include "gpu/scanner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace berth::gpu {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string stand_in(const std::string& variant = "") {
    const auto build = fs::canonical("/proc/self/exe").parent_path().parent_path();
    return (build / "stand-ins" / variant / "libnvidia-ml.so.1").string();
}

// A model file of its own for every test, in the environment that the agent inherits.
class Model {
public:
    Model() : path_(fs::temp_directory_path() / ("berth-model-" + std::to_string(::getpid()) + ".txt")) {
        ::setenv("BERTH_NVML_MODEL", path_.c_str(), 1);
    }
    ~Model() {
        ::unsetenv("BERTH_NVML_MODEL");
        fs::remove(path_);
    }
    // At once, as a reader sees it: never half a model.
    void write(const std::string& text) {
        const fs::path next = path_.string() + ".new";
        std::ofstream(next) << text << "# " << ++version_ << "\n";
        fs::rename(next, path_);
    }
    void remove() { fs::remove(path_); }

private:
    fs::path path_;
    int version_ = 0;
};

AgentReport scan_once(const std::string& library) {
    auto loaded = nvml::Library::load(library);
    if (!loaded) return loaded.error();
    return Scanner(*loaded).scan();
}

TEST(Scanner, ReadsWhatNvmlShows) {
    Model model;
    model.write(
        "driver 560.1\n"
        "gpu\n uuid GPU-one\n name Big Card\n memory_mib 1000\n used_mib 10\n utilisation 40\n temperature "
        "55\n"
        " power_mw 1234\n energy_mj 5000\n pci 00000000:3B:00.0\n minor 7\n process " +
        std::to_string(::getpid()) +
        " 8\n"
        "gpu\n");
    const auto report = scan_once(stand_in());
    const auto& snapshot = std::get<AgentSnapshot>(report);
    EXPECT_EQ(snapshot.driver_version, "560.1");
    ASSERT_EQ(snapshot.devices.size(), 2U);
    const auto& device = snapshot.devices[0];
    EXPECT_EQ(device.uuid, "GPU-one");
    EXPECT_EQ(device.name, "Big Card");
    EXPECT_EQ(device.memory_bytes, 1000U << 20);
    EXPECT_EQ(device.used_bytes, 10U << 20);
    EXPECT_EQ(device.utilisation_percent, 40U);
    EXPECT_EQ(device.temperature_celsius, 55U);
    EXPECT_EQ(device.power_milliwatts, 1234U);
    EXPECT_GE(device.energy_millijoules.value_or(0), 5000U);
    EXPECT_EQ(device.pci_bus_id, "00000000:3B:00.0");
    EXPECT_EQ(device.minor, 7U);
    EXPECT_EQ(device.index, 0U);
    ASSERT_EQ(device.processes.size(), 1U);
    EXPECT_EQ(device.processes[0].used_bytes, 8U << 20);
    EXPECT_FALSE(device.processes[0].name.empty());
    EXPECT_EQ(snapshot.devices[1].uuid.size(), 40U);
    EXPECT_NE(snapshot.devices[1].uuid, device.uuid);
}

using Links = std::vector<DeviceLink>;

std::vector<Links> links_of(const AgentReport& report) {
    std::vector<Links> all;
    for (const auto& each : std::get<AgentSnapshot>(report).devices)
        all.push_back(each.links);
    return all;
}

TEST(Scanner, CountsNvLinksAndFindsWhereDevicesMeet) {
    Model model;
    model.write("gpus 3\nancestor 0 1 10\nancestor 1 2 40\nnvlink 0 1 4\nnvlink 1 2 2\n");
    const auto report = scan_once(stand_in());
    EXPECT_EQ(
        links_of(report),
        (std::vector<Links>{{{}, {4, 10}, {0, 50}}, {{4, 10}, {}, {2, 40}}, {{0, 50}, {2, 40}, {}}}));
    const auto again = parse_agent_line(to_line(report));
    ASSERT_TRUE(again);
    EXPECT_EQ(links_of(*again), links_of(report));
}

TEST(Scanner, BehindAnNvSwitchAllAreEquals) {
    Model model;
    model.write("gpus 3\nnvswitch 0 18\nnvswitch 1 18\nnvswitch 2 12\n");
    EXPECT_EQ(
        links_of(scan_once(stand_in())),
        (std::vector<Links>{{{}, {18, 50}, {12, 50}}, {{18, 50}, {}, {12, 50}}, {{12, 50}, {12, 50}, {}}}));
    // A driver that cannot tell a switch names a place where none of ours is.
    EXPECT_EQ(links_of(scan_once(stand_in("r450")))[0], (Links{{}, {0, 50}, {0, 50}}));
}

TEST(Scanner, LinksAreOfTheDevicesThatAnswer) {
    Model model;
    const std::string wires = "gpus 3\nnvlink 0 2 4\nancestor 0 2 20\n";
    model.write(wires);
    Scanner scanner(*nvml::Library::load(stand_in()));
    EXPECT_EQ(links_of(scanner.scan())[0], (Links{{}, {0, 50}, {4, 20}}));
    model.write(wires + "error nvmlDeviceGetTopologyCommonAncestor 999\n");
    EXPECT_EQ(links_of(scanner.scan())[0], (Links{{}, {0, 50}, {4, 20}})) << "wires are asked for once";
    model.write(wires + "error nvmlDeviceGetUUID 15 2\n");
    EXPECT_EQ(
        links_of(scanner.scan()), (std::vector<Links>{{{}, {0, 50}, {0, 50}}, {{0, 50}, {}, {0, 50}}, {}}));
    model.write(wires);
    EXPECT_EQ(links_of(scanner.scan())[0], (Links{{}, {0, 50}, {4, 20}}));
    model.write("gpus 2\nerror nvmlDeviceGetTopologyCommonAncestor 3\n");
    EXPECT_EQ(links_of(scanner.scan()), (std::vector<Links>{{}, {}})) << "as in a virtual machine";
}

TEST(Scanner, DefaultUuidsAreTheSameOnEveryRun) {
    Model model;
    model.write("gpus 3\n");
    const auto once = scan_once(stand_in());
    const auto again = scan_once(stand_in());
    const auto& first = std::get<AgentSnapshot>(once).devices;
    const auto& second = std::get<AgentSnapshot>(again).devices;
    ASSERT_EQ(first.size(), 3U);
    ASSERT_EQ(second.size(), 3U);
    for (std::size_t at = 0; at < first.size(); ++at) {
        EXPECT_EQ(first[at].uuid, second[at].uuid);
        EXPECT_LE(first[at].energy_millijoules, second[at].energy_millijoules);
    }
}

TEST(Scanner, GoesOnWithoutWhatADriverLacks) {
    Model model;
    model.write("gpu\n used_mib 10\n process 1 5\nerror nvmlDeviceGetUtilizationRates 3\n");
    const auto report = scan_once(stand_in("r450"));
    const auto& device = std::get<AgentSnapshot>(report).devices.at(0);
    EXPECT_EQ(device.used_bytes, 10U << 20);  // by the older call
    EXPECT_EQ(device.processes.size(), 1U);   // likewise
    EXPECT_FALSE(device.utilisation_percent);
    EXPECT_EQ(device.fault, "");
}

TEST(Scanner, SaysWhyNvmlDoesNotAnswer) {
    Model model;
    const auto reason = [](const std::string& library) {
        const auto report = scan_once(library);
        const auto* error = std::get_if<AgentError>(&report);
        return error ? error->reason + " " + std::to_string(error->code) : "answered";
    };
    EXPECT_EQ(reason("libno-such-nvml.so.1"), "library_missing 12");
    EXPECT_EQ(reason(stand_in("hollow")), "symbol_missing 13");
    EXPECT_EQ(reason(stand_in()), "driver_not_loaded 9");  // the model is not there
    model.write("error nvmlInit 18\n");
    EXPECT_EQ(reason(stand_in()), "version_mismatch 18");
    model.write("error nvmlDeviceGetCount_v2 999\n");
    EXPECT_EQ(reason(stand_in()), "nvml 999");
    model.write("gpus 0\n");
    EXPECT_EQ(reason(stand_in()), "answered");
}

TEST(Scanner, OneSickGpuDoesNotHideTheOthers) {
    Model model;
    model.write("gpus 3\n");
    Scanner scanner(*nvml::Library::load(stand_in()));
    const auto healthy = std::get<AgentSnapshot>(scanner.scan());
    model.write("gpus 3\nerror nvmlDeviceGetHandleByIndex_v2 15 1\nerror nvmlDeviceGetMemoryInfo_v2 16 2\n");
    const auto sick = std::get<AgentSnapshot>(scanner.scan());
    ASSERT_EQ(sick.devices.size(), 3U);
    EXPECT_EQ(sick.devices[0].fault, "");
    EXPECT_EQ(sick.devices[1].uuid, healthy.devices[1].uuid);  // remembered: it no longer tells
    EXPECT_EQ(sick.devices[1].fault, "GPU is lost");
    EXPECT_EQ(sick.devices[2].fault, "GPU requires reset");
    model.write("gpus 3\nerror nvmlDeviceGetHandleByIndex_v2 17 0\n");  // hidden from us: no fault, not shown
    EXPECT_EQ(std::get<AgentSnapshot>(scanner.scan()).devices.size(), 2U);
}

class Stride : public testing::TestWithParam<int> {};

TEST_P(Stride, ProcessListsAreReadWhateverTheirEntrySize) {
    Model model;
    const auto pid = std::to_string(::getpid());
    const auto parent = std::to_string(::getppid());
    model.write(
        "stride " + std::to_string(GetParam()) + "\ngpu\n process " + pid + " 3\n process " + parent +
        " 4\n process " + pid + " 5\n");
    const auto report = scan_once(stand_in());
    const auto& processes = std::get<AgentSnapshot>(report).devices.at(0).processes;
    ASSERT_EQ(processes.size(), 3U);
    EXPECT_EQ(processes[1].pid, static_cast<std::uint32_t>(::getppid()));
    EXPECT_EQ(processes[1].used_bytes, 4U << 20);
    EXPECT_EQ(processes[2].used_bytes, 5U << 20);
}
INSTANTIATE_TEST_SUITE_P(Nvml, Stride, testing::Values(16, 24, 32));

TEST(ProcessList, FindsTheOutermostContainer) {
    const std::string id(64, 'a');
    const std::string inner(64, 'b');
    EXPECT_EQ(container_in("0::/system.slice/docker-" + id + ".scope\n"), id);
    EXPECT_EQ(container_in("3:devices:/docker/" + id + "/docker/" + inner + "\n"), id);
    EXPECT_EQ(container_in("0::/user.slice/user-1000.slice\n"), "");
    EXPECT_EQ(container_in(id + "c"), "");
    EXPECT_EQ(container_in(id), id);
}

struct ClientTest : testing::Test {
    ClientTest() {
        options.command = {};
        options.library = stand_in();
        options.interval = 10ms;
        options.silence_limit = 10s;  // a busy machine is no hung driver
        options.first_limit = 10s;
        options.first_backoff = 5ms;
        options.longest_backoff = 20ms;
    }
    void start() {
        client.emplace(
            options,
            [this](const AgentReport& report) {
                last = report;
                ++reports;
                ++since_silence;
            },
            [this](const std::string& why) {
                reasons.push_back(why);
                since_silence = 0;
            });
        scope.spawn("agent", OnStop::cancel, client->run());
    }
    // Runs the loop until it is so; false after a generous time.
    bool eventually(const std::function<bool()>& so) {
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (!so() && std::chrono::steady_clock::now() < limit)
            io.run_one_for(10ms);
        return so();
    }
    void TearDown() override {
        const auto ignored = [](std::exception_ptr) {};
        asio::co_spawn(io, scope.stop(0ms), ignored);  // lint: coroutine-ok the test is the outermost owner
        io.run();
        EXPECT_EQ(failure, "");
        client.reset();
        while (::waitpid(-1, nullptr, 0) > 0)
            continue;  // every agent is dead; else this hangs
    }
    const AgentSnapshot* snapshot() const { return std::get_if<AgentSnapshot>(&last); }

    Model model;
    asio::io_context io;
    std::string failure;
    TaskScope scope{io.get_executor(), [this](std::string_view, std::exception_ptr error) {
                        try {
                            std::rethrow_exception(error);
                        } catch (const std::exception& what) {
                            failure = what.what();
                        }
                    }};
    AgentClientOptions options;
    std::optional<AgentClient> client;
    AgentReport last;
    int reports = 0;
    int since_silence = 0;
    std::vector<std::string> reasons;
};

TEST_F(ClientTest, BringsWhatTheAgentReads) {
    model.write("gpus 2\n");
    start();
    ASSERT_TRUE(eventually([&] { return reports >= 2; }));
    ASSERT_TRUE(snapshot());
    EXPECT_EQ(snapshot()->devices.size(), 2U);
    model.write("gpus 5\n");
    EXPECT_TRUE(eventually([&] { return snapshot()->devices.size() == 5; }));
    EXPECT_EQ(client->restarts(), 0);
    EXPECT_TRUE(reasons.empty());
}

TEST_F(ClientTest, AHungDriverCostsOnlyTheAgent) {
    model.write("gpus 2\n");
    options.silence_limit = 100ms;
    start();
    ASSERT_TRUE(eventually([&] { return reports >= 1; }));
    model.write("gpus 2\nhang nvmlDeviceGetUtilizationRates 0 1\n");
    ASSERT_TRUE(eventually([&] { return !reasons.empty(); }));
    EXPECT_EQ(reasons[0], "The GPU agent has been silent for too long; it was killed.");
    model.write("gpus 2\n");
    ASSERT_TRUE(eventually([&] { return client->restarts() >= 1 && since_silence > 0; }));
    EXPECT_EQ(snapshot()->devices.size(), 2U);
}

TEST_F(ClientTest, ADeadAgentIsStartedAgain) {
    model.write("gpus 1\n");
    start();
    ASSERT_TRUE(eventually([&] { return reports >= 1; }));
    model.write("error nvmlDeviceGetCount_v2 999\n");  // the agent ends itself on it
    ASSERT_TRUE(eventually([&] { return client->restarts() >= 3; }));
    EXPECT_EQ(reasons[0], "The GPU agent ended.");
    model.write("gpus 1\n");
    ASSERT_TRUE(eventually([&] { return snapshot() && since_silence > 1; }));
}

TEST_F(ClientTest, TellsAnErrorAndRecoversFromIt) {
    start();  // no model: no driver
    ASSERT_TRUE(eventually([&] { return reports >= 1; }));
    EXPECT_EQ(std::get<AgentError>(last).reason, "driver_not_loaded");
    model.write("gpus 1\n");
    ASSERT_TRUE(eventually([&] { return snapshot() != nullptr; }));
    EXPECT_EQ(client->restarts(), 0);
}

TEST_F(ClientTest, AMissingLibraryIsAReportNotACrash) {
    options.library = "libno-such-nvml.so.1";
    start();
    ASSERT_TRUE(eventually([&] { return reports >= 2; }));
    EXPECT_EQ(std::get<AgentError>(last).reason, "library_missing");
    EXPECT_EQ(client->restarts(), 0);
}

TEST_F(ClientTest, AProgramThatIsNotThereIsTriedAgain) {
    options.command = {"/no/such/berth"};
    start();
    ASSERT_TRUE(eventually([&] { return reasons.size() >= 2; }));
    EXPECT_NE(reasons[0].find("could not be started"), std::string::npos);
}

TEST_F(ClientTest, NoiseInsteadOfAReportEndsTheAgent) {
    options.command = {"/bin/echo", "hello"};
    start();
    ASSERT_TRUE(eventually([&] { return reasons.size() >= 2; }));
    EXPECT_EQ(reasons[0], "The GPU agent wrote something that is not a report.");
}

}  // namespace
}  // namespace berth::gpu
