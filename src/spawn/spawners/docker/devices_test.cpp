#include "spawn/spawners/docker/devices.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace berth::spawn::docker {
namespace {

using namespace std::string_literals;
using Nodes = std::set<std::string>;

StartPlan plan_of(std::vector<DeviceUuid> devices, std::map<std::string, std::string> paths = {}) {
    StartPlan plan;
    plan.devices = std::move(devices);
    plan.device_paths = std::move(paths);
    return plan;
}
const std::vector<DeviceUuid> kTwo = {DeviceUuid("GPU-aaaa"), DeviceUuid("GPU-bbbb")};
const std::map<std::string, std::string> kPaths = {
    {"GPU-aaaa", "/dev/nvidia0"}, {"GPU-bbbb", "/dev/nvidia3"}};
constexpr const char* kLeased = "NVIDIA_VISIBLE_DEVICES=GPU-aaaa,GPU-bbbb";
constexpr const char* kNone = "NVIDIA_VISIBLE_DEVICES=void";

Inspected container_with(std::vector<std::string> environment) {
    Inspected container;
    container.environment = std::move(environment);
    return container;
}

Evidence evidence_of(std::string environment, bool cdi_possible = false, bool simulated = false) {
    Evidence evidence;
    evidence.process_environment = std::move(environment);
    evidence.cdi_possible = cdi_possible;
    evidence.simulated = simulated;
    return evidence;
}

TEST(CompareDevices, TakesNothingForGranted) {
    const auto plan = plan_of(kTwo);
    auto container = container_with({kLeased});
    EXPECT_FALSE(compare_devices(plan, container, {})) << "nothing hands the devices over";
    EXPECT_TRUE(compare_devices(plan, container, evidence_of("", false, true)));
    container.requested_devices = {"GPU-bbbb", "GPU-aaaa"};
    EXPECT_TRUE(compare_devices(plan, container, {}));
    container.requested_devices = {"GPU-aaaa"};
    EXPECT_FALSE(compare_devices(plan, container, {}));
    container.requested_devices = {"*"};
    EXPECT_FALSE(compare_devices(plan, container, {}));
    container.requested_devices = {"GPU-aaaa", "GPU-bbbb"};
    const auto first_all = "NVIDIA_VISIBLE_DEVICES=all\0NVIDIA_VISIBLE_DEVICES=GPU-aaaa,GPU-bbbb\0"s;
    EXPECT_TRUE(compare_devices(plan, container, evidence_of(first_all)));
}

TEST(CompareDevices, WithoutALeaseNothingMayBeVisible) {
    const auto plan = plan_of({});
    EXPECT_TRUE(compare_devices(plan, container_with({kNone}), {}));
    EXPECT_FALSE(compare_devices(plan, container_with({}), {})) << "unset means all for some images";
    EXPECT_FALSE(compare_devices(plan, container_with({"NVIDIA_VISIBLE_DEVICES=all"}), {}));
    auto with_node = container_with({kNone});
    with_node.device_nodes = {"/dev/nvidia0"};
    EXPECT_FALSE(compare_devices(plan, with_node, {}));
}

// What is found inside, and how it is judged. The request and its echo are right in all of them.
struct Inside {
    std::string_view name;
    StartPlan plan;
    std::optional<Nodes> inside;
    bool want;
    Nodes on_host = {};
    bool driver = false;
    std::vector<std::string> mounts = {};
};

const Nodes kAll = {"/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia3"};
const std::vector<Inside> kInside = {
    {"ItCannotBeSeen", plan_of(kTwo, kPaths), std::nullopt, true, kAll, true},
    {"Those", plan_of(kTwo, kPaths), Nodes{"/dev/nvidia0", "/dev/nvidia3"}, true, kAll, true},
    {"AnotherOnesToo", plan_of(kTwo, kPaths), kAll, false, kAll, true},
    {"AnotherOneWithoutADriver", plan_of(kTwo, kPaths), Nodes{"/dev/nvidia7"}, false},
    {"OneIsMissing", plan_of(kTwo, kPaths), Nodes{"/dev/nvidia0"}, false, kAll, true},
    {"AllAreMissing", plan_of(kTwo, kPaths), Nodes{}, false, kAll, true},
    {"MissingWithTheStandInHook", plan_of(kTwo, kPaths), Nodes{}, true},
    {"MissingOnTheHostToo", plan_of(kTwo, kPaths), Nodes{"/dev/nvidia0"}, true, {"/dev/nvidia0"}, true},
    {"PathsNotKnown", plan_of(kTwo), Nodes{"/dev/nvidia1", "/dev/nvidia5"}, true, kAll, true},
    {"PathsNotKnownAndTooMany", plan_of(kTwo), kAll, false, kAll, true},
    {"PathsNotKnownAndNone", plan_of(kTwo), Nodes{}, true, kAll, true},
    {"PathsOfAnotherKind",
     plan_of(kTwo, {{"GPU-aaaa", "/dev/zero"}, {"GPU-bbbb", "/dev/null"}}),
     Nodes{},
     true},
    {"NoLease", plan_of({}), Nodes{}, true, kAll, true},
    {"NoLeaseButANode", plan_of({}), Nodes{"/dev/nvidia0"}, false, kAll, true},
    {"NoLeaseButAllNodes", plan_of({}, kPaths), kAll, false},
    {"NoLeaseAndANodeMountedByName", plan_of({}), Nodes{"/dev/nvidia0"}, true, kAll, true, {"/dev/nvidia0"}},
};

TEST(CompareDevices, LooksInside) {
    for (const auto& each : kInside) {
        auto container = container_with({each.plan.devices.empty() ? kNone : kLeased});
        for (const auto& device : each.plan.devices)
            container.requested_devices.push_back(device.value);
        container.mounts = each.mounts;
        Evidence evidence;
        evidence.nodes_inside = each.inside;
        evidence.nodes_on_host = each.on_host;
        evidence.driver_on_host = each.driver;
        const auto same = compare_devices(each.plan, container, evidence);
        EXPECT_EQ(same.has_value(), each.want) << each.name;
        if (!same) {
            EXPECT_TRUE(same.error().is(SpawnErrc::devices_differ)) << each.name;
        }
    }
}

TEST(CompareDevices, EnvironmentOfVoidWithALeaseNeedsProofInside) {
    const auto dropped = std::string(kNone) + "\0"s;
    auto container = container_with({kLeased});
    container.requested_devices = {"GPU-aaaa", "GPU-bbbb"};
    const auto judged = [&](const StartPlan& plan, bool cdi_possible, std::optional<Nodes> inside) {
        auto evidence = evidence_of(dropped, cdi_possible);
        evidence.nodes_inside = std::move(inside);
        return compare_devices(plan, container, evidence).has_value();
    };
    EXPECT_FALSE(judged(plan_of(kTwo), false, std::nullopt));
    EXPECT_FALSE(judged(plan_of(kTwo), true, std::nullopt)) << "the engine may have dropped the request";
    EXPECT_FALSE(judged(plan_of(kTwo), true, Nodes{}));
    EXPECT_FALSE(judged(plan_of(kTwo, kPaths), true, Nodes{"/dev/nvidia0"}));
    EXPECT_TRUE(judged(plan_of(kTwo, kPaths), true, Nodes{"/dev/nvidia0", "/dev/nvidia3"}));
    EXPECT_TRUE(judged(plan_of(kTwo), true, Nodes{"/dev/nvidia0", "/dev/nvidia1"}));
    EXPECT_FALSE(judged(plan_of(kTwo), false, Nodes{"/dev/nvidia0", "/dev/nvidia1"})) << "that is no CDI";
    EXPECT_TRUE(compare_devices(plan_of({}), container_with({kNone}), evidence_of(dropped, true)));
    container.requested_devices.clear();  // not echoed
    EXPECT_TRUE(judged(plan_of(kTwo, kPaths), true, Nodes{"/dev/nvidia0", "/dev/nvidia3"}));
    EXPECT_FALSE(judged(plan_of(kTwo, kPaths), true, Nodes{}));
}

TEST(IsGpuNode, IsOneDevicesOwn) {
    for (const auto* node : {"/dev/nvidia0", "/dev/nvidia15"})
        EXPECT_TRUE(is_gpu_node(node)) << node;
    for (const auto* other :
         {"/dev/nvidia",
          "/dev/nvidiactl",
          "/dev/nvidia-uvm",
          "/dev/nvidia0x",
          "/dev/nvidia-caps",
          "nvidia0",
          ""})
        EXPECT_FALSE(is_gpu_node(other)) << other;
}

TEST(LookInside, TellsNothingOfAProcessThatIsNotTheContainers) {
    Inspected stranger;
    stranger.pid = ::getpid();
    stranger.id = std::string(64, 'f');
    Evidence evidence;
    look_inside(stranger, evidence);
    EXPECT_EQ(evidence.process_environment, "");
    EXPECT_FALSE(evidence.nodes_inside);
}

}  // namespace
}  // namespace berth::spawn::docker
