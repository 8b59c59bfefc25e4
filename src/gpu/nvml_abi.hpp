// NVML's C interface as far as the agent uses it: layouts and symbols of driver releases R450 to 13.x (gpu.md
// B.1 to B.3), written down here because the header belongs to a toolkit that need not be installed. LP64
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace berth::gpu::nvml {

using Return = int;
using Handle = void*;

inline constexpr Return kSuccess = 0;
inline constexpr Return kNotSupported = 3;
inline constexpr Return kInsufficientSize = 7;
inline constexpr Return kDriverNotLoaded = 9;
inline constexpr Return kLibraryNotFound = 12;
inline constexpr Return kFunctionNotFound = 13;
inline constexpr Return kCorruptedInforom = 14;
inline constexpr Return kGpuIsLost = 15;
inline constexpr Return kResetRequired = 16;
inline constexpr Return kVersionMismatch = 18;
inline constexpr Return kDeprecated = 26;
inline constexpr Return kUnknown = 999;

inline constexpr unsigned kInitWithoutGpus = 1;  // a machine without any is no error
inline constexpr std::size_t kTextSize = 96;     // UUID and name
inline constexpr std::size_t kVersionSize = 80;
inline constexpr std::uint64_t kUnknownMemory = ~std::uint64_t{0};

struct PciInfo {  // nvmlPciInfo_t, v3
    char bus_id_legacy[16];
    std::uint32_t domain;
    std::uint32_t bus;
    std::uint32_t device;
    std::uint32_t pci_device_id;
    std::uint32_t pci_subsystem_id;
    char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68 && offsetof(PciInfo, domain) == 16 && offsetof(PciInfo, bus_id) == 36);

// nvmlGpuTopologyLevel_t: how far up the tree of PCIe two devices meet.
inline constexpr std::uint32_t kLevelSameBoard = 0;
inline constexpr std::uint32_t kLevelOneSwitch = 10;
inline constexpr std::uint32_t kLevelSwitches = 20;
inline constexpr std::uint32_t kLevelHostBridge = 30;
inline constexpr std::uint32_t kLevelNumaNode = 40;
inline constexpr std::uint32_t kLevelSystem = 50;

inline constexpr unsigned kMostNvLinks = 36;    // of one device (NVML_NVLINK_MAX_LINKS)
inline constexpr unsigned kNvLinkToSwitch = 2;  // nvmlIntNvLinkDeviceType_t
inline constexpr unsigned kNvLinkActive = 1;    // nvmlEnableState_t

struct Utilization {
    std::uint32_t gpu;
    std::uint32_t memory;
};
static_assert(sizeof(Utilization) == 8);

struct Memory {
    std::uint64_t total;
    std::uint64_t free;
    std::uint64_t used;  // what the driver reserved included
};
static_assert(sizeof(Memory) == 24 && offsetof(Memory, used) == 16);

struct MemoryV2 {
    std::uint32_t version;
    std::uint64_t total;
    std::uint64_t reserved;
    std::uint64_t free;
    std::uint64_t used;
};
static_assert(sizeof(MemoryV2) == 40 && offsetof(MemoryV2, total) == 8 && offsetof(MemoryV2, used) == 32);
inline constexpr std::uint32_t kMemoryV2Version = sizeof(MemoryV2) | (2U << 24);
static_assert(kMemoryV2Version == 0x02000028);

struct ProcessInfo {  // nvmlProcessInfo_v2_t: what _v2 and most _v3 fill in (gpu.md B.5 for those that do
                      // not)
    std::uint32_t pid;
    std::uint64_t used_bytes;
    std::uint32_t gpu_instance_id;
    std::uint32_t compute_instance_id;
};
static_assert(sizeof(ProcessInfo) == 24 && offsetof(ProcessInfo, used_bytes) == 8);
static_assert(
    offsetof(ProcessInfo, gpu_instance_id) == 16 && offsetof(ProcessInfo, compute_instance_id) == 20);

static_assert(std::is_standard_layout_v<PciInfo> && std::is_standard_layout_v<ProcessInfo>);
static_assert(sizeof(void*) == 8 && sizeof(Return) == 4);

}  // namespace berth::gpu::nvml
