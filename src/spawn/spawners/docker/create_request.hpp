// A plan as the body of POST /containers/create. Pure; golden files in spawn/testdata/. What an administrator
// merges in (RFC 7396) may change nearly everything, but never the labels, the devices, the life cycle or the
// published ports.
#pragma once

#include "config/options.hpp"
#include "spawn/spawner.hpp"

#include <string>
#include <string_view>

namespace berth::spawn::docker {

// How devices get into a container (gpu.md A.1, A.3, A.5).
enum class GpuMode {
    device_requests,  // by UUID; the engine's own NVIDIA support injects them
    devices,          // plain device nodes; needs nothing of the engine
    runtime,          // runtime "nvidia" reads NVIDIA_VISIBLE_DEVICES
    environment,      // NVIDIA_VISIBLE_DEVICES alone: simulated GPUs on an engine without GPU support
};

namespace label {
inline constexpr std::string_view kInstance = "berth.instance";
inline constexpr std::string_view kServer = "berth.server";
inline constexpr std::string_view kGeneration = "berth.generation";
inline constexpr std::string_view kUser = "berth.user";
inline constexpr std::string_view kServerName = "berth.server_name";
inline constexpr std::string_view kLease = "berth.lease";
inline constexpr std::string_view kGpu = "berth.gpu";
}  // namespace label

// Error: bad_request (mode devices, and a device without a path).
Result<json::object> create_request(
    const StartPlan& plan, const config::DockerOptions& options, GpuMode mode);

// RFC 7396: null removes, objects merge, everything else replaces.
void merge_patch(json::object& target, const json::object& patch);

// "GPU-a,GPU-b"; "void" for none: what the toolkit reads as "nothing" whatever the image says (gpu.md A.3).
std::string visible_devices(const StartPlan& plan);

}  // namespace berth::spawn::docker
