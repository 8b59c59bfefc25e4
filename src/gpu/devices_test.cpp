#include "gpu/devices.hpp"

#include "gpu/ledger.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

using namespace std::chrono_literals;

const Timestamp kNow{1'700'000'000s};

config::GpuOptions options_naming(std::vector<std::string> uuids) {
    config::GpuOptions options;
    for (auto& uuid : uuids) {
        config::GpuDeviceOptions device;
        device.uuid = std::move(uuid);
        options.devices.push_back(std::move(device));
    }
    return options;
}

DeviceReading reading_of(std::string uuid, std::string pci) {
    DeviceReading reading;
    reading.uuid = std::move(uuid);
    reading.pci_bus_id = std::move(pci);
    reading.name = "NVIDIA H100";
    reading.memory_bytes = 80;
    reading.minor = 3;
    return reading;
}

AgentSnapshot snapshot_of(std::vector<DeviceReading> readings) {
    AgentSnapshot snapshot;
    snapshot.driver_version = "550.54";
    snapshot.devices = std::move(readings);
    return snapshot;
}

std::string order(const Inventory& inventory) {
    std::string text;
    for (const auto& device : inventory.devices())
        text += device.row.uuid.value + " ";
    return text;
}

Health health_of(const Inventory& inventory, const char* uuid) {
    return inventory.find(DeviceUuid(uuid))->health;
}

TEST(Inventory, ConfiguredFirstThenByPciAndPositionsStay) {
    Inventory inventory(options_naming({"GPU-z", "GPU-y"}), {});
    inventory.apply(
        snapshot_of({reading_of("GPU-b", "0002"), reading_of("GPU-y", "0001"), reading_of("GPU-a", "0003")}),
        kNow);
    EXPECT_EQ(order(inventory), "GPU-z GPU-y GPU-b GPU-a ");
    auto rows = inventory.take_changed_rows();
    ASSERT_EQ(rows.size(), 4U);
    EXPECT_TRUE(inventory.take_changed_rows().empty());
    EXPECT_EQ(rows[1].name, "NVIDIA H100");
    EXPECT_EQ(rows[1].source, "config");
    EXPECT_EQ(rows[2].source, "nvml");

    Inventory restarted(options_naming({"GPU-a", "GPU-new", "GPU-z", "GPU-y"}), rows);
    EXPECT_EQ(order(restarted), "GPU-z GPU-y GPU-b GPU-a GPU-new ");
    EXPECT_EQ(restarted.find(DeviceUuid("GPU-new"))->row.position, 4);
}

TEST(Inventory, TheConfigurationsWordsWinOverNvmls) {
    auto options = options_naming({"GPU-a"});
    options.devices[0].name = "the big one";
    options.devices[0].path = "/dev/null";
    Inventory inventory(options, {});
    inventory.apply(snapshot_of({reading_of("GPU-a", "0001"), reading_of("GPU-b", "0002")}), kNow);
    EXPECT_EQ(inventory.devices()[0].row.name, "the big one");
    EXPECT_EQ(inventory.devices()[0].path, "/dev/null");
    EXPECT_EQ(inventory.devices()[0].row.memory_bytes, 80U);
    EXPECT_EQ(inventory.devices()[1].path, "/dev/nvidia3");
}

TEST(Inventory, WhatNvmlNoLongerShowsIsGoneUntilItIsBack) {
    Inventory inventory(options_naming({"GPU-word"}), {});
    inventory.apply(snapshot_of({reading_of("GPU-a", "1"), reading_of("GPU-b", "2")}), kNow);
    inventory.apply(snapshot_of({reading_of("GPU-b", "2")}), kNow);
    EXPECT_EQ(health_of(inventory, "GPU-a"), Health::gone);
    EXPECT_EQ(health_of(inventory, "GPU-b"), Health::healthy);
    EXPECT_EQ(health_of(inventory, "GPU-word"), Health::healthy);  // never seen by NVML: taken at its word
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow);
    EXPECT_EQ(health_of(inventory, "GPU-a"), Health::healthy);
}

TEST(Inventory, SilenceChangesNoEligibility) {
    Inventory inventory(options_naming({}), {});
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow);
    EXPECT_FALSE(inventory.stale_since());
    inventory.agent_silent(kNow + 1s);
    inventory.agent_silent(kNow + 9s);
    EXPECT_EQ(inventory.stale_since(), kNow + 1s);
    EXPECT_TRUE(inventory.devices()[0].eligible());
    inventory.apply(AgentError{.reason = "nvml", .code = 999, .message = "unknown"}, kNow + 10s);
    EXPECT_TRUE(inventory.devices()[0].eligible());
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow + 20s);
    EXPECT_FALSE(inventory.stale_since());
    EXPECT_FALSE(inventory.agent_error());
}

TEST(Inventory, ADriverThatSaysNoTakesItsDevicesAway) {
    Inventory inventory(options_naming({"GPU-word"}), {});
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow);
    inventory.apply(AgentError{.reason = "version_mismatch", .code = 18, .message = "Reboot."}, kNow);
    EXPECT_EQ(health_of(inventory, "GPU-a"), Health::gone);
    EXPECT_EQ(inventory.find(DeviceUuid("GPU-a"))->health_detail, "Reboot.");
    EXPECT_EQ(health_of(inventory, "GPU-word"), Health::healthy);
    EXPECT_EQ(inventory.agent_error()->code, 18);
}

TEST(Inventory, AFaultAndACordonKeepADeviceBack) {
    Inventory inventory(options_naming({}), {});
    auto lost = reading_of("GPU-a", "1");
    lost.fault = "GPU is lost";
    inventory.apply(snapshot_of({lost, reading_of("GPU-b", "2")}), kNow);
    EXPECT_EQ(health_of(inventory, "GPU-a"), Health::unhealthy);
    (void)inventory.take_changed_rows();
    const auto cordon = inventory.plan_cordon(DeviceUuid("GPU-b"), true);
    ASSERT_TRUE(cordon);
    EXPECT_TRUE(cordon->upserts.at(0).cordoned);
    EXPECT_TRUE(inventory.find(DeviceUuid("GPU-b"))->eligible());  // until it is durable
    inventory.apply_cordon(*cordon);
    EXPECT_FALSE(inventory.find(DeviceUuid("GPU-b"))->eligible());
    EXPECT_TRUE(inventory.take_changes().empty());  // the committed row is what memory says
    EXPECT_TRUE(inventory.plan_cordon(DeviceUuid("GPU-x"), true).error().is(DeviceErrc::unknown_device));
}

TEST(Inventory, ACordonThatAReadingOvertookIsWrittenAgain) {
    Inventory inventory(options_naming({}), {});
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow);
    (void)inventory.take_changes();
    const auto cordon = inventory.plan_cordon(DeviceUuid("GPU-a"), true);
    inventory.apply(snapshot_of({reading_of("GPU-a", "2")}), kNow);
    EXPECT_FALSE(inventory.take_changed_rows().at(0).cordoned);  // this row undoes the cordon's in the store
    inventory.apply_cordon(*cordon);
    const auto again = inventory.take_changes();
    ASSERT_EQ(again.upserts.size(), 1U);
    EXPECT_TRUE(again.upserts[0].cordoned);
    EXPECT_EQ(again.upserts[0].pci_bus_id, "2");
}

TEST(Inventory, RowsThatWereNotWrittenAreTakenAgain) {
    Inventory inventory(options_naming({"GPU-a"}), {});
    inventory.add_facade_devices({DeviceUuid("GPU-f")});
    (void)inventory.take_changes();
    inventory.drop_facade_device(DeviceUuid("GPU-f"));
    EXPECT_TRUE(inventory.take_changed_rows().empty());  // takes no removal, and loses none
    auto changes = inventory.take_changes();
    EXPECT_EQ(changes.removals, std::vector<DeviceUuid>{DeviceUuid("GPU-f")});
    inventory.not_written(changes);
    inventory.add_facade_devices({DeviceUuid("GPU-f")});
    changes = inventory.take_changes();
    EXPECT_EQ(changes.upserts.size(), 1U);
    EXPECT_TRUE(changes.removals.empty());
}

TEST(Inventory, TwoFailedStartsMakeASuspectForTenMinutes) {
    Inventory inventory(options_naming({}), {});
    const DeviceUuid a("GPU-a");
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow);
    inventory.note_verify_failure(a, kNow);
    EXPECT_TRUE(inventory.find(a)->eligible());
    inventory.note_verify_failure(a, kNow + 5min);
    EXPECT_EQ(inventory.find(a)->health, Health::suspect);
    inventory.apply(snapshot_of({reading_of("GPU-a", "1")}), kNow + 6min);
    EXPECT_EQ(inventory.find(a)->health, Health::suspect);
    EXPECT_TRUE(inventory.expire_suspicions(kNow + 15min));
    EXPECT_TRUE(inventory.find(a)->eligible());
}

TEST(Inventory, SuspicionsEndWithoutAnAgent) {
    auto options = options_naming({"GPU-a", "GPU-b"});
    options.agent = false;
    Inventory inventory(options, {});
    (void)inventory.take_changed_rows();
    const DeviceUuid a("GPU-a");
    EXPECT_FALSE(inventory.expire_suspicions(kNow));
    inventory.note_verify_failure(a, kNow);
    inventory.note_verify_failure(a, kNow + 1min);
    inventory.note_verify_failure(DeviceUuid("GPU-b"), kNow + 1min);
    EXPECT_FALSE(inventory.expire_suspicions(kNow + 10min));  // counted from the last failure
    EXPECT_EQ(inventory.find(a)->health, Health::suspect);
    EXPECT_TRUE(inventory.expire_suspicions(kNow + 11min));
    EXPECT_TRUE(inventory.find(a)->eligible());
    EXPECT_EQ(inventory.find(a)->health_detail, "");
    EXPECT_FALSE(inventory.expire_suspicions(kNow + 11min));  // asked again: nothing more to do
    EXPECT_TRUE(inventory.take_changed_rows().empty());       // health is no row
    inventory.note_verify_failure(a, kNow + 12min);
    EXPECT_TRUE(inventory.find(a)->eligible());  // the count began anew
}

TEST(AgentReport, SurvivesItsLine) {
    auto reading = reading_of("GPU-a", "00000000:3B:00.0");
    reading.used_bytes = 12;
    reading.utilisation_percent = 97;
    reading.processes.push_back(
        {.pid = 42, .used_bytes = 7, .name = "python", .container = std::string(64, 'a')});
    reading.fault = "GPU is lost";
    const auto line = to_line(snapshot_of({reading}));
    const auto report = parse_agent_line(line);
    ASSERT_TRUE(report);
    EXPECT_EQ(to_line(*report), line);
    const auto& back = std::get<AgentSnapshot>(*report).devices.at(0);
    EXPECT_EQ(back.utilisation_percent, 97U);
    EXPECT_EQ(back.processes.at(0).container.size(), 64U);
    const auto error = parse_agent_line(to_line(AgentError{.reason = "nvml", .code = 999, .message = "m"}));
    EXPECT_EQ(std::get<AgentError>(*error).code, 999);
    for (const char* junk : {"", "x", "[]", "{}", R"({"devices":3})"})
        EXPECT_FALSE(parse_agent_line(junk));
    EXPECT_TRUE(parse_agent_line(R"({"devices":[1,{"uuid":3,"memory":-4,"processes":[null]}]})"));
}

}  // namespace
}  // namespace berth::gpu
