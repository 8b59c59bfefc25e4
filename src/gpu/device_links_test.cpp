// What the scheduler is told of the machine's links.
#include "gpu/device_links.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

constexpr DeviceLink kSelf{};

DeviceStatus device(const std::string& uuid, std::uint32_t index, std::vector<DeviceLink> links) {
    DeviceStatus status;
    status.row.uuid = DeviceUuid(uuid);
    status.reading.emplace();
    status.reading->index = index;
    status.reading->links = std::move(links);
    return status;
}

std::vector<ScheduledDevice> told(const std::vector<DeviceStatus>& inventory) {
    std::vector<ScheduledDevice> devices;
    for (const auto& each : inventory) {
        devices.emplace_back();
        devices.back().uuid = each.row.uuid;
    }
    set_links(devices, inventory);
    return devices;
}

using Weights = std::vector<std::uint32_t>;

TEST(DeviceLinks, WeighNvLinksFirstAndThenNearness) {
    EXPECT_EQ(weight_of({.nvlinks = 0, .level = 50}), 10U);
    EXPECT_EQ(weight_of({.nvlinks = 0, .level = 40}), 20U);
    EXPECT_EQ(weight_of({.nvlinks = 0, .level = 30}), 30U);
    EXPECT_EQ(weight_of({.nvlinks = 0, .level = 20}), 40U);
    EXPECT_EQ(weight_of({.nvlinks = 0, .level = 10}), 50U);
    EXPECT_EQ(weight_of({.nvlinks = 0, .level = 0}), 60U);
    EXPECT_EQ(weight_of({.nvlinks = 4, .level = 50}), 410U);
    EXPECT_EQ(weight_of({.nvlinks = 4'000'000'000, .level = 50}), 3610U) << "no more than a device can have";
}

// The order of devices is that of the store; NVML's may differ.
TEST(DeviceLinks, AreByPlaceAlsoWhenNvmlCountsOtherwise) {
    const auto devices = told(
        {device("b", 1, {{4, 10}, kSelf, {0, 40}}),
         device("c", 2, {{0, 50}, {0, 40}, kSelf}),
         device("a", 0, {kSelf, {4, 10}, {0, 50}})});
    EXPECT_EQ(devices[0].links, (Weights{0, 20, 450}));
    EXPECT_EQ(devices[1].links, (Weights{20, 0, 10}));
    EXPECT_EQ(devices[2].links, (Weights{450, 10, 0}));
    EXPECT_EQ(devices[0].board, devices[2].board) << "one switch";
    EXPECT_NE(devices[0].board, devices[1].board) << "the NUMA node is farther than the switch";
}

TEST(DeviceLinks, BoardsAreNumaNodesWhereNobodySharesASwitch) {
    const DeviceLink node{0, 40}, far{0, 50};
    const auto devices = told(
        {device("a", 0, {kSelf, far, node, far}),
         device("b", 1, {far, kSelf, far, node}),
         device("c", 2, {node, far, kSelf, far}),
         device("d", 3, {far, node, far, kSelf})});
    EXPECT_EQ(devices[0].board, devices[2].board);
    EXPECT_EQ(devices[1].board, devices[3].board);
    EXPECT_NE(devices[0].board, devices[1].board);
}

TEST(DeviceLinks, WhatIsNotToldIsNobodysNeighbour) {
    auto gone = device("gone", 1, {{9, 10}, kSelf});
    gone.health = Health::gone;
    const auto devices = told({device("a", 0, {kSelf, {9, 10}}), gone, device("b", 1, {})});
    EXPECT_EQ(devices[0].links, (Weights{0, 0, 950})) << "the index of one that is gone is another's by now";
    EXPECT_TRUE(devices[1].links.empty());
    EXPECT_EQ(told({device("a", 0, {}), device("b", 1, {})})[1].links, Weights{});
    EXPECT_NE(told({device("a", 0, {}), device("b", 1, {})})[1].board, 0U);
}

}  // namespace
}  // namespace berth::gpu
