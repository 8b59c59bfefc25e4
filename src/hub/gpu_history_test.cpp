// What leases used of what they held, and that a hub that starts remembers what devices did.
#include "hub/gpu_history.hpp"

#include "hub/test_hub.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using spawn::doubles::MemorySpawner;
using test::kAnn;
using test::options_with_gpus;
using test::TestHub;

const DeviceUuid kA("GPU-a");

gpu::AgentSnapshot reading(std::uint32_t load, std::uint64_t energy) {
    gpu::DeviceReading made;
    made.uuid = kA.value;
    made.utilisation_percent = load;
    made.used_bytes = 1000;
    made.energy_millijoules = energy;
    return {"1", {made}};
}

struct GpuHistoryTest : testing::Test {
    std::optional<TestHub> hub;
    std::optional<GpuHistory> history;
    std::shared_ptr<MemorySpawner> spawner;

    void open() {
        const std::string folder = hub ? hub->dir : "";
        history.reset();
        spawner.reset();
        hub.emplace(options_with_gpus({"GPU-a"}), folder);
        spawner = std::make_shared<MemorySpawner>(hub->io.get_executor());
        hub->open(spawner);
        spawner->url = hub->notebook_url();
        hub->add_user("ann");
        history.emplace(*hub->context);
        ASSERT_TRUE(hub->run(history->restore()));
    }
    ~GpuHistoryTest() override {
        history.reset();
        if (!hub) return;
        if (hub->store) hub->close();
        std::filesystem::remove_all(hub->dir);
    }
    void report(Timestamp at, std::uint32_t load, std::uint64_t energy) {
        hub->inventory->apply(reading(load, energy), at);
        history->on_gpu_readings(at);
    }
    std::vector<store::UsageIntervalRow> intervals() {
        std::vector<store::UsageIntervalRow> rows;
        store::Change query = [&rows](store::Transaction& t) {
            rows = store::usage_intervals(t, Timestamp{});
        };
        EXPECT_TRUE(hub->run(hub->store->read(std::move(query))));
        return rows;
    }
    DeviceUse last_use(Timestamp until) {
        const auto spans = history->timeline().spans(kA, until - 1h, until);
        return spans.empty() ? DeviceUse::free : spans.back().use;
    }
};

TEST_F(GpuHistoryTest, ALeaseIsChargedWhatItUsedAndNeverMoreThanItHeld) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    const auto begin = intervals().at(0).begin;
    report(begin + 1s, 50, 1'000'000);
    report(begin + 11s, 50, 1'500'000);
    report(begin + 21s, 100, 2'000'000);
    ASSERT_TRUE(hub->run(history->flush()));
    auto used = intervals().at(0);
    EXPECT_NEAR(used.used_seconds, 15, 1e-6);
    EXPECT_NEAR(used.joules, 1000, 1e-6);
    // The end comes before the readings: the engine knows better, and held is the bound.
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kAnn), kAnn)));
    ASSERT_TRUE(hub->wait_gone(kAnn));
    used = intervals().at(0);
    ASSERT_TRUE(used.end);
    const double held = std::chrono::duration<double>(*used.end - used.begin).count();
    EXPECT_LE(used.used_seconds, held + 1e-6);
}

TEST_F(GpuHistoryTest, WhatIsAddedAfterTheEndIsBoundTooAndEnergyOnlyGrows) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    const auto begin = intervals().at(0).begin;
    report(begin + 1s, 100, 9'000'000);
    report(
        begin + 21s, 100, 1'000);  // the driver was loaded anew: its counter says nothing of the time between
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kAnn), kAnn)));
    ASSERT_TRUE(hub->wait_gone(kAnn));
    ASSERT_TRUE(hub->run(history->flush()));
    const auto used = intervals().at(0);
    const double held = std::chrono::duration<double>(*used.end - used.begin).count();
    EXPECT_LE(used.used_seconds, held + 1e-6);
    EXPECT_GE(used.joules, 0);
    EXPECT_LT(used.joules, 1) << "a counter that went back";
}

TEST_F(GpuHistoryTest, TellsIdleFromBusyAndBothFromOthers) {
    open();
    const auto now = now_utc();
    report(now, 90, 0);
    report(now + 5s, 90, 0);
    EXPECT_EQ(last_use(now + 5s), DeviceUse::free) << "nobody holds it, and nothing of theirs is known";
    hub->inventory->set_external({{"training", {kA}}});
    report(now + 10s, 90, 0);
    report(now + 15s, 90, 0);
    EXPECT_EQ(last_use(now + 15s), DeviceUse::external);
    hub->inventory->set_external({});
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    report(now + 20s, 90, 0);
    report(now + 25s, 0, 0);
    EXPECT_EQ(last_use(now + 25s), DeviceUse::busy);
    report(now + 45s, 0, 0);
    EXPECT_EQ(last_use(now + 45s), DeviceUse::busy) << "a pause between two steps is no idleness";
    for (int at = 60; at <= 120; at += 15)
        report(now + std::chrono::seconds(at), 0, 0);
    EXPECT_EQ(last_use(now + 120s), DeviceUse::idle);
    hub->inventory->agent_silent(now + 121s);
    history->on_gpu_readings(now + 125s);
    history->on_gpu_readings(now + 130s);
    EXPECT_EQ(last_use(now + 130s), DeviceUse::held) << "nobody can tell";
}

TEST_F(GpuHistoryTest, TheNextHubRemembers) {
    open();
    const auto now = now_utc() - 1min;
    for (int at = 0; at <= 40; at += 5)
        report(now + std::chrono::seconds(at), 10, 0);
    const auto before = history->timeline().spans(kA, now, now + 1min);
    ASSERT_EQ(before.size(), 1U);
    ASSERT_TRUE(hub->run(history->flush()));
    hub->close();
    open();
    EXPECT_EQ(history->timeline().spans(kA, now, now + 1min), before);
    store::Change prune = [now](store::Transaction& t) { store::remove_device_samples(t, now + 1h); };
    ASSERT_TRUE(hub->run(hub->store->commit(std::move(prune))));
    hub->close();
    open();
    EXPECT_TRUE(history->timeline().spans(kA, now, now + 1min).empty());
}

TEST(DeviceUseTest, SickComesFirstAndCordonedLast) {
    gpu::DeviceStatus device;
    device.row.cordoned = true;
    EXPECT_EQ(use_of(device, {}), DeviceUse::cordoned);
    EXPECT_EQ(use_of(device, {.external = true}), DeviceUse::external);
    EXPECT_EQ(use_of(device, {.leased = true}), DeviceUse::held);
    EXPECT_EQ(use_of(device, {.leased = true, .working = true}), DeviceUse::held);
    EXPECT_EQ(use_of(device, {.leased = true, .working = true, .computing = false}), DeviceUse::idle);
    device.health = gpu::Health::unhealthy;
    EXPECT_EQ(use_of(device, {.leased = true, .working = true, .computing = true}), DeviceUse::sick);
}

}  // namespace
}  // namespace berth::hub
