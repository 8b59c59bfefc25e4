// Who counts as a foreign user of a GPU, and who does not.
#include "hub/external_users.hpp"

#include "hub/test_hub.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using spawn::doubles::MemorySpawner;
using test::kAnn;
using test::options_with_gpus;
using test::TestHub;

const std::string kOurs(64, 'a');
const std::string kTheirs(64, 'b');

gpu::GpuProcess process(std::uint32_t pid, std::string container, std::string server = {}) {
    return {pid, {}, "python3", std::move(container), "dana", std::move(server)};
}

gpu::DeviceReading reading(std::string uuid, std::vector<gpu::GpuProcess> processes) {
    gpu::DeviceReading made;
    made.uuid = std::move(uuid);
    made.processes = std::move(processes);
    return made;
}

gpu::AgentSnapshot snapshot(std::vector<gpu::GpuProcess> on_a, std::vector<gpu::GpuProcess> on_b) {
    return {"1", {reading("GPU-a", std::move(on_a)), reading("GPU-b", std::move(on_b))}};
}

std::vector<std::string> names(const std::vector<gpu::ExternalUse>& uses) {
    std::vector<std::string> all;
    for (const auto& use : uses) {
        all.push_back(use.name);
        for (const auto& uuid : use.devices)
            all.back() += " " + uuid.value;
    }
    return all;
}

struct OutsidersTest : testing::Test {
    gpu::Inventory inventory{options_with_gpus({"GPU-a", "GPU-b"}).gpu, {}};
    Known known{"main", {kOurs}, {}};

    std::vector<std::string> of(const gpu::AgentSnapshot& snapshot) {
        inventory.apply(snapshot, now_utc());
        std::vector<gpu::ExternalUse> uses;
        for (const auto& each : outsiders(inventory, known))
            uses.push_back(each.use);
        return names(uses);
    }
    using Names = std::vector<std::string>;
};

TEST_F(OutsidersTest, AProcessInNoContainerIsOneOnEachOfItsDevices) {
    EXPECT_EQ(
        of(snapshot({process(7, "")}, {process(7, ""), process(7, ""), process(8, "")})),
        (Names{"python3, process 7 of dana GPU-a GPU-b", "python3, process 8 of dana GPU-b"}));
}

TEST_F(OutsidersTest, ProcessesOfOurServersAreNot) {
    EXPECT_EQ(of(snapshot({process(7, kOurs), process(8, "", "main/12")}, {})), Names{});
    EXPECT_EQ(of(snapshot({process(8, "", "another/12")}, {})), Names{"python3, process 8 of dana GPU-a"})
        << "another hub's";
}

TEST_F(OutsidersTest, AForeignContainerIsCountedOnceOnWhatItWasGiven) {
    known.foreign = {{"training", {"GPU-a"}, kTheirs}};
    EXPECT_EQ(
        of(snapshot({process(7, kTheirs)}, {process(8, kTheirs)})),
        Names{"python3, process 8 of dana in container training GPU-b"});
    known.foreign.clear();
    EXPECT_EQ(
        of(snapshot({process(7, kTheirs)}, {})),
        Names{"python3, process 7 of dana in container bbbbbbbbbbbb GPU-a"});
}

TEST_F(OutsidersTest, WhatCannotBeSeenIsNotCounted) {
    auto hidden = process(7, "");
    hidden.name.clear();
    EXPECT_EQ(of(snapshot({hidden}, {})), Names{});
}

struct ExternalUsersTest : testing::Test {
    TestHub hub{options_with_gpus({"GPU-a", "GPU-b"})};
    std::shared_ptr<MemorySpawner> spawner;

    ExternalUsersTest() {
        spawner = std::make_shared<MemorySpawner>(hub.io.get_executor());
        hub.open(spawner);
        spawner->url = hub.notebook_url();
        hub.add_user(kAnn.user.value);
    }
    ~ExternalUsersTest() override {
        hub.close();
        std::filesystem::remove_all(hub.dir);
    }
    void read(const gpu::AgentSnapshot& snapshot) {
        hub.inventory->apply(snapshot, now_utc());
        hub.reconcile->on_gpu_readings();
    }
    std::vector<std::string> shown() { return names(hub.inventory->external()); }
    using Names = std::vector<std::string>;
};

TEST_F(ExternalUsersTest, AreCountedFromTheSecondReadingAndAvoided) {
    read(snapshot({process(7, "")}, {}));
    EXPECT_EQ(shown(), Names{});
    read(snapshot({process(7, "")}, {}));
    EXPECT_EQ(shown(), Names{"python3, process 7 of dana GPU-a"});
    ASSERT_TRUE(hub.begin(kAnn));
    EXPECT_EQ(hub.servers->find(kAnn)->devices, std::vector{DeviceUuid("GPU-b")});
    hub.inventory->agent_silent(now_utc());
    hub.reconcile->on_gpu_readings();
    EXPECT_EQ(shown().size(), 1U) << "nothing newer is known";
    read(snapshot({}, {}));
    EXPECT_EQ(shown(), Names{});
}

TEST_F(ExternalUsersTest, ContainersAndProcessesAreShownTogether) {
    spawner->foreign = {{"training", {"GPU-a"}, kTheirs}};
    read(snapshot({process(7, kTheirs)}, {process(8, "")}));
    read(snapshot({process(7, kTheirs)}, {process(8, "")}));
    ASSERT_TRUE(hub.run(hub.reconcile->once()));
    read(snapshot({process(7, kTheirs)}, {process(8, "")}));
    EXPECT_EQ(shown(), (Names{"training GPU-a", "python3, process 8 of dana GPU-b"}));
    spawner->foreign.clear();
    ASSERT_TRUE(hub.run(hub.reconcile->once()));
    EXPECT_EQ(shown(), (Names{"python3, process 8 of dana GPU-b"}));
}

// The façade does not say who its leases are for; they are on the device that they were given.
TEST_F(ExternalUsersTest, WhoHasALeaseOfTheFacadeIsNotCountedTwice) {
    auto granted = hub.leases->reserve_anonymous(
        hub.ids->next<LeaseId>(), gpu::DeviceRequest{1}, now_utc(), now_utc() + 1h);
    ASSERT_TRUE(granted);
    std::move(granted->claim).keep();
    read(snapshot({process(7, "")}, {process(8, "")}));
    read(snapshot({process(7, "")}, {process(8, "")}));
    EXPECT_EQ(shown(), Names{"python3, process 8 of dana GPU-b"});
}

}  // namespace
}  // namespace berth::hub
