// Reading NVML's process lists although their entries had 16, 24 and 32 bytes under one symbol name (gpu.md
// B.5), and finding whose a process is: its container (gpu.md B.6), its user, its server. Pure but for what
// takes a pid, which looks into /proc.
#pragma once

#include "gpu/agent_report.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gpu {

inline constexpr std::uint8_t kCanary = 0xA5;  // the buffer is filled with it before the call
inline constexpr std::size_t kWidestEntry = 32;

// The entries of `buffer`, which NVML filled with `count` of them; `exists` says whether a pid can be real.
std::vector<GpuProcess> decode_processes(
    std::span<const std::uint8_t> buffer,
    std::uint32_t count,
    const std::function<bool(std::uint32_t pid)>& exists);

// The first 64 hex digits in a /proc/<pid>/cgroup text: the outermost container.
std::string container_in(std::string_view cgroup);

bool process_exists(std::uint32_t pid);
std::string container_of(std::uint32_t pid);
std::string name_of_process(std::uint32_t pid);
std::string user_of_process(std::uint32_t pid);  // the number when the account has no name
// What the local spawner gave to each process that it started, as the environment variable BERTH_SERVER; of
// the process itself or of the nearest ancestor that began with one, for kernels and their children.
std::string server_of_process(std::uint32_t pid);

}  // namespace berth::gpu
