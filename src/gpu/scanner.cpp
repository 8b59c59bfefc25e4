#include "gpu/scanner.hpp"

#include "gpu/link_scan.hpp"
#include "gpu/process_list.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace berth::gpu {
namespace {

using nvml::Handle;
using nvml::Return;

constexpr std::size_t kMostProcesses = 4096;

bool is_fault(Return code) {
    return code == nvml::kGpuIsLost || code == nvml::kResetRequired || code == nvml::kCorruptedInforom;
}

}  // namespace

Scanner::~Scanner() {
    if (initialised_ && nvml().shutdown) nvml().shutdown();
}

AgentError Scanner::error_of(Return code, const std::string& call) const {
    const std::string text = library_.text_of(code);
    if (code == nvml::kDriverNotLoaded) {
        return {
            "driver_not_loaded", code, "The NVIDIA driver is not loaded (" + text + "). Load it, or reboot."};
    }
    if (code == nvml::kVersionMismatch) {
        return {
            "version_mismatch",
            code,
            "The NVIDIA driver in the kernel is older than its library (" + text + "): reboot this machine."};
    }
    return {"nvml", code, call + ": " + text};
}

std::optional<AgentError> Scanner::initialise() {
    if (initialised_) return std::nullopt;
    const Return code =
        nvml().init_with_flags ? nvml().init_with_flags(nvml::kInitWithoutGpus) : nvml().init_v2();
    if (code != nvml::kSuccess) return error_of(code, "nvmlInit");
    initialised_ = true;
    return std::nullopt;
}

AgentReport Scanner::scan() {
    if (auto error = initialise()) return *error;
    unsigned count = 0;
    if (const Return code = nvml().count_v2(&count); code != nvml::kSuccess) {
        initialised_ = false;
        if (nvml().shutdown) nvml().shutdown();
        return error_of(code, "nvmlDeviceGetCount_v2");
    }
    AgentSnapshot snapshot;
    std::array<char, nvml::kVersionSize> version{};
    if (nvml().driver_version && nvml().driver_version(version.data(), version.size()) == nvml::kSuccess) {
        snapshot.driver_version = version.data();
    }
    if (uuids_.size() < count) uuids_.resize(count);
    std::vector<Handle> handles(count);
    for (unsigned index = 0; index < count; ++index) {
        // One that is hidden from us (by a cgroup, or not permitted) must not end the scan.
        if (auto reading = read(index, handles[index])) snapshot.devices.push_back(std::move(*reading));
    }
    read_links(snapshot, handles);
    return snapshot;
}

// They are wires: asked for again only when other devices answer.
void Scanner::read_links(AgentSnapshot& snapshot, const std::vector<Handle>& handles) {
    std::vector<std::string> answering(handles.size());
    auto known = handles;
    for (std::size_t index = 0; index < handles.size(); ++index) {
        const auto at = std::find_if(snapshot.devices.begin(), snapshot.devices.end(), [&](const auto& each) {
            return each.index == index;
        });
        if (at != snapshot.devices.end() && at->fault.empty())
            answering[index] = at->uuid;
        else
            known[index] = nullptr;
    }
    if (linked_ != answering) {
        links_ = gpu::read_links(nvml(), known);
        linked_ = std::move(answering);
    }
    for (auto& device : snapshot.devices)
        device.links = links_[*device.index];
}

std::optional<DeviceReading> Scanner::read(unsigned index, Handle& device) {
    DeviceReading reading;
    reading.index = index;
    const Return code = nvml().handle_by_index_v2(index, &device);
    std::array<char, nvml::kTextSize> uuid{};
    const Return named = code == nvml::kSuccess ? nvml().uuid(device, uuid.data(), uuid.size()) : code;
    if (named == nvml::kSuccess) {
        reading.uuid = uuid.data();
        uuids_[index] = reading.uuid;
    } else if (is_fault(named) && !uuids_[index].empty()) {
        reading.uuid = uuids_[index];
        reading.fault = library_.text_of(named);
        return reading;
    } else {
        return std::nullopt;
    }
    read_identity(device, reading);
    read_memory(device, reading);
    read_load(device, reading);
    read_processes(device, reading);
    return reading;
}

template <class Function, class... Arguments>
bool Scanner::ask(
    DeviceReading& reading, Function* function, const char* call, Handle device, Arguments... arguments) {
    if (!function || unsupported_.contains({reading.uuid, call})) return false;
    const Return code = function(device, arguments...);
    if (code == nvml::kSuccess) return true;
    if (is_fault(code)) reading.fault = library_.text_of(code);
    if (code == nvml::kNotSupported || code == nvml::kFunctionNotFound || code == nvml::kDeprecated) {
        unsupported_.insert({reading.uuid, call});
    }
    return false;
}

void Scanner::read_identity(Handle device, DeviceReading& reading) {
    std::array<char, nvml::kTextSize> name{};
    const auto size = static_cast<unsigned>(name.size());
    if (ask(reading, nvml().name, "name", device, name.data(), size)) reading.name = name.data();
    unsigned minor = 0;
    if (ask(reading, nvml().minor_number, "minor", device, &minor)) reading.minor = minor;
    nvml::PciInfo pci{};
    if (ask(reading, nvml().pci_info_v3, "pci", device, &pci)) {
        pci.bus_id[sizeof pci.bus_id - 1] = '\0';
        reading.pci_bus_id = pci.bus_id;
    }
}

void Scanner::read_memory(Handle device, DeviceReading& reading) {
    nvml::MemoryV2 second{};
    second.version = nvml::kMemoryV2Version;
    if (ask(reading, nvml().memory_info_v2, "memory_v2", device, &second)) {
        reading.memory_bytes = second.total;
        reading.used_bytes = second.used;
        return;
    }
    nvml::Memory first{};
    if (ask(reading, nvml().memory_info, "memory", device, &first)) {
        reading.memory_bytes = first.total;
        reading.used_bytes = first.used;
    }
}

void Scanner::read_load(Handle device, DeviceReading& reading) {
    nvml::Utilization utilization{};
    if (ask(reading, nvml().utilization, "utilization", device, &utilization)) {
        reading.utilisation_percent = utilization.gpu;
    }
    unsigned value = 0;
    if (ask(reading, nvml().temperature, "temperature", device, 0, &value))
        reading.temperature_celsius = value;
    if (ask(reading, nvml().power_usage, "power", device, &value)) reading.power_milliwatts = value;
    unsigned long long energy = 0;
    if (ask(reading, nvml().total_energy, "energy", device, &energy)) reading.energy_millijoules = energy;
}

void Scanner::read_processes(Handle device, DeviceReading& reading) {
    auto* list = nvml().compute_processes_v3 ? nvml().compute_processes_v3 : nvml().compute_processes_v2;
    if (!list || unsupported_.contains({reading.uuid, "processes"})) return;
    unsigned count = 0;
    Return code = list(device, &count, nullptr);
    std::vector<std::uint8_t> buffer;
    for (int tries = 0; code == nvml::kInsufficientSize && tries < 3; ++tries) {
        // Room for some more: processes may have come since. What was not written keeps the canary.
        count = count + 8;
        if (count > kMostProcesses) return;
        buffer.assign(count * kWidestEntry + kWidestEntry, kCanary);
        code = list(device, &count, buffer.data());
    }
    if (code == nvml::kNotSupported || code == nvml::kFunctionNotFound)
        unsupported_.insert({reading.uuid, "processes"});
    if (code != nvml::kSuccess || buffer.empty()) return;
    reading.processes = decode_processes(buffer, count, process_exists);
    for (GpuProcess& process : reading.processes) {
        process.name = name_of_process(process.pid);
        process.container = container_of(process.pid);
        process.user = user_of_process(process.pid);
        process.server = server_of_process(process.pid);
    }
}

}  // namespace berth::gpu
