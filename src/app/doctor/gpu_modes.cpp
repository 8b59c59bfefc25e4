// Each way to get a GPU into a container, tried with a real one.
#include "app/doctor/checks.hpp"
#include "app/doctor/container.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "spawn/spawners/docker/create_request.hpp"

namespace berth::app {
namespace {

using namespace std::chrono_literals;
using spawn::docker::GpuMode;

struct Mode {
    GpuMode mode;
    const char* name;  // of docker.gpu_mode
    const char* to_do;
};
constexpr Mode kModes[] = {
    {GpuMode::device_requests,
     "device_requests",
     "Install nvidia-container-toolkit and restart Docker, or set docker.gpu_mode to one that works."},
    {GpuMode::runtime,
     "runtime",
     "nvidia-ctk runtime configure --runtime=docker; systemctl restart docker; or another docker.gpu_mode."},
    {GpuMode::devices,
     "devices",
     "Give gpu.devices[].path, e.g. /dev/nvidia0, or set another docker.gpu_mode."}};

spawn::StartPlan plan_for(const config::Options& options, const Facts& facts) {
    const auto& device = facts.devices.front();
    spawn::StartPlan plan;
    plan.instance = "doctor-" + random_hex(6);  // no hub takes it for its own
    plan.key.user = UserName("doctor");
    plan.profile.image = facts.sound_image;
    plan.devices = {DeviceUuid(device.uuid)};
    if (device.minor) plan.device_paths[device.uuid] = "/dev/nvidia" + std::to_string(*device.minor);
    for (const auto& configured : options.gpu.devices)
        if (configured.uuid == device.uuid && !configured.path.empty())
            plan.device_paths[device.uuid] = configured.path;
    return plan;
}

awaitable<Result<ContainerResult>> try_mode(
    const config::Options& options, spawn::docker::Engine& engine, spawn::StartPlan plan, GpuMode mode) {
    auto docker = options.docker;
    docker.volumes.clear();  // nobody's home
    BERTH_CO_TRY(auto request, spawn::docker::create_request(plan, docker, mode));
    const std::string line = "echo \"$NVIDIA_VISIBLE_DEVICES\"; ls /dev/nvidia[0-9]* 2>/dev/null; true";
    co_return co_await run_in_container(engine, std::move(request), line, Deadline::in(60s));
}

}  // namespace

awaitable<> check_gpu_modes(
    const config::Options& options, const Facts& facts, spawn::docker::Engine& engine, Report& report) {
    if (facts.devices.empty() || facts.sound_image.empty()) co_return;
    const auto plan = plan_for(options, facts);
    bool any = false;
    for (const auto& [mode, name, to_do] : kModes) {
        const auto check = std::string("gpu_mode ") + name;
        const bool wanted = options.docker.gpu_mode == name ||
                            (options.docker.gpu_mode == "auto" && mode == GpuMode::device_requests);
        const auto ran = co_await try_mode(options, engine, plan, mode);
        const auto why = !ran ? ran.error().message : ran->exit_code != 0 ? ellipsized(ran->output, 200) : "";
        any = any || why.empty();
        if (why.empty())
            report.ok(check, "a container gets " + facts.devices.front().uuid);
        else if (wanted)
            report.fail(check, "a container does not get a GPU: " + why, to_do);
        else
            report.note(check, "does not work here, and is not asked for: " + ellipsized(why, 120));
    }
    if (!any)
        report.fail(
            "gpu_mode",
            "no way leads a GPU into a container",
            "Install nvidia-container-toolkit, then look again.");
}

}  // namespace berth::app
