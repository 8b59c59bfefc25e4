// What NVML says, read as the hub reads it: in a process of its own.
#include "app/doctor/checks.hpp"
#include "app/doctor/program.hpp"

namespace berth::app {
namespace {

std::string advice_for(const std::string& reason) {
    if (reason == "library_missing")
        return "On a machine with GPUs, install NVIDIA's driver; without GPUs set gpu.agent to false.";
    if (reason == "driver_not_loaded")
        return "Load the driver (modprobe nvidia), or reboot; dmesg says why it is not.";
    if (reason == "version_mismatch") return "The driver was updated under a loaded module: reboot.";
    return "Look at nvidia-smi and dmesg.";
}

void report_devices(const gpu::AgentSnapshot& snapshot, Facts& facts, Report& report) {
    std::string faults;
    for (const auto& device : snapshot.devices) {
        if (!device.fault.empty()) faults += (faults.empty() ? "" : "; ") + device.uuid + ": " + device.fault;
    }
    facts.devices = snapshot.devices;
    const auto found = std::to_string(snapshot.devices.size()) + " GPUs, driver " + snapshot.driver_version;
    if (snapshot.devices.empty())
        report.warn("gpus", found, "nvidia-smi -L should list them; look at dmesg.");
    else if (!faults.empty())
        report.fail(
            "gpus", found + "; " + faults, "Reset or reboot; until then the hub does not give them out.");
    else
        report.ok("gpus", found);
}

}  // namespace

void check_gpus(const config::Options& options, Facts& facts, Report& report) {
    if (!options.gpu.agent) {
        for (const auto& device : options.gpu.devices) {
            gpu::DeviceReading reading;
            reading.uuid = device.uuid;
            facts.devices.push_back(std::move(reading));
        }
        report.note("gpus", std::to_string(facts.devices.size()) + " of the configuration; gpu.agent is off");
        return;
    }
    const auto said = run_program(
        {"/proc/self/exe", "gpu-agent", "--library", options.gpu.nvml_library, "--interval-ms", "1000"},
        std::chrono::seconds(30),
        Until::first_line);
    const auto line = said.output.substr(0, said.output.find('\n'));
    const auto answer = gpu::parse_agent_line(line);
    if (!answer) {
        report.fail(
            "gpus", "the GPU agent does not answer: the driver hangs", "Look at dmesg (Xid); reboot.");
    } else if (const auto* error = std::get_if<gpu::AgentError>(&*answer)) {
        const bool none = error->reason == "library_missing" && options.gpu.devices.empty();
        if (none)
            report.note("gpus", "none: " + error->message);
        else
            report.fail("gpus", error->message, advice_for(error->reason));
    } else {
        report_devices(std::get<gpu::AgentSnapshot>(*answer), facts, report);
    }
}

}  // namespace berth::app
