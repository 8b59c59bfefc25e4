// Use of a GPU is work of whoever's processes do it.
#include "hub/gpu_work.hpp"

#include <gtest/gtest.h>

namespace berth::hub {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
const std::string kAnns(64, 'a');
const std::string kBobs(64, 'b');

gpu::DeviceReading reading(std::uint32_t percent, std::vector<gpu::GpuProcess> processes = {}) {
    gpu::DeviceReading made;
    made.utilisation_percent = percent;
    made.processes = std::move(processes);
    return made;
}
gpu::GpuProcess process(std::uint32_t pid, std::uint64_t bytes, const std::string& container) {
    return {pid, bytes, "python", container};
}

TEST(GpuWork, UtilisationOfADeviceAloneIsWork) {
    std::optional<HeldMemory> held;
    EXPECT_TRUE(works(reading(60), {kAnns, true}, 5, held));
    EXPECT_TRUE(works(reading(5), {kAnns, true}, 5, held));
    EXPECT_FALSE(works(reading(4), {kAnns, true}, 5, held));
}

TEST(GpuWork, MemoryThatIsOnlyHeldIsNoWork) {
    std::optional<HeldMemory> held;
    const auto parked = reading(0, {process(7, 4096 * kMiB, kAnns)});
    EXPECT_FALSE(works(parked, {kAnns, true}, 5, held));
    EXPECT_FALSE(works(parked, {kAnns, true}, 5, held));
}

TEST(GpuWork, MemoryThatGrowsIsWork) {
    std::optional<HeldMemory> held;
    EXPECT_FALSE(works(reading(0, {process(7, 100 * kMiB, kAnns)}), {kAnns, true}, 5, held));
    EXPECT_TRUE(works(reading(0, {process(7, 140 * kMiB, kAnns)}), {kAnns, true}, 5, held));
    EXPECT_FALSE(works(reading(0, {process(7, 140 * kMiB, kAnns)}), {kAnns, true}, 5, held));
    EXPECT_FALSE(works(reading(0, {process(7, 90 * kMiB, kAnns)}), {kAnns, true}, 5, held));
    EXPECT_TRUE(
        works(reading(0, {process(7, 90 * kMiB, kAnns), process(8, kMiB, kAnns)}), {kAnns, true}, 5, held));
}

TEST(GpuWork, OnASharedDeviceTheNeighboursUseIsNotOurs) {
    std::optional<HeldMemory> anns;
    std::optional<HeldMemory> bobs;
    const auto now = reading(90, {process(7, 100 * kMiB, kBobs)});
    EXPECT_FALSE(works(now, {kAnns, false}, 5, anns));
    EXPECT_TRUE(works(now, {kBobs, false}, 5, bobs));
    const auto both = reading(90, {process(7, 100 * kMiB, kBobs), process(8, kMiB, kAnns)});
    EXPECT_TRUE(works(both, {kAnns, false}, 5, anns));
}

}  // namespace
}  // namespace berth::hub
