#include "gpu/nvml.hpp"

#include <dlfcn.h>

namespace berth::gpu::nvml {
namespace {

template <class Function>
void resolve(void* library, const char* symbol, Function*& target) {
    target = reinterpret_cast<Function*>(dlsym(library, symbol));
}

Functions functions_in(void* library) {
    Functions f;
    resolve(library, "nvmlInit_v2", f.init_v2);
    resolve(library, "nvmlInitWithFlags", f.init_with_flags);
    resolve(library, "nvmlShutdown", f.shutdown);
    resolve(library, "nvmlErrorString", f.error_string);
    resolve(library, "nvmlSystemGetDriverVersion", f.driver_version);
    resolve(library, "nvmlDeviceGetCount_v2", f.count_v2);
    resolve(library, "nvmlDeviceGetHandleByIndex_v2", f.handle_by_index_v2);
    resolve(library, "nvmlDeviceGetUUID", f.uuid);
    resolve(library, "nvmlDeviceGetName", f.name);
    resolve(library, "nvmlDeviceGetMinorNumber", f.minor_number);
    resolve(library, "nvmlDeviceGetPciInfo_v3", f.pci_info_v3);
    resolve(library, "nvmlDeviceGetMemoryInfo", f.memory_info);
    resolve(library, "nvmlDeviceGetMemoryInfo_v2", f.memory_info_v2);
    resolve(library, "nvmlDeviceGetUtilizationRates", f.utilization);
    resolve(library, "nvmlDeviceGetTemperature", f.temperature);
    resolve(library, "nvmlDeviceGetPowerUsage", f.power_usage);
    resolve(library, "nvmlDeviceGetTotalEnergyConsumption", f.total_energy);
    resolve(library, "nvmlDeviceGetTopologyCommonAncestor", f.common_ancestor);
    resolve(library, "nvmlDeviceGetNvLinkState", f.nvlink_state);
    resolve(library, "nvmlDeviceGetNvLinkRemoteDeviceType", f.nvlink_remote_type);
    resolve(library, "nvmlDeviceGetNvLinkRemotePciInfo_v2", f.nvlink_remote_pci_v2);
    resolve(library, "nvmlDeviceGetComputeRunningProcesses_v3", f.compute_processes_v3);
    resolve(library, "nvmlDeviceGetComputeRunningProcesses_v2", f.compute_processes_v2);
    return f;
}

}  // namespace

boost::system::result<Library, AgentError> Library::load(const std::string& name) {
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char* why = dlerror();
        return AgentError{
            .reason = "library_missing",
            .code = kLibraryNotFound,
            .message = "NVML could not be loaded (" + std::string(why ? why : name.c_str()) +
                       "). Install the NVIDIA driver, or name the devices in gpu.devices and set gpu.agent "
                       "to false."};
    }
    Library library;
    library.functions_ = functions_in(handle);
    const Functions& f = library.functions_;
    if (!(f.init_with_flags || f.init_v2) || !f.count_v2 || !f.handle_by_index_v2 || !f.uuid) {
        return AgentError{
            .reason = "symbol_missing",
            .code = kFunctionNotFound,
            .message = name +
                       " is not an NVML that Berth can use: it lacks nvmlInit_v2, nvmlDeviceGetCount_v2, "
                       "nvmlDeviceGetHandleByIndex_v2 or nvmlDeviceGetUUID. Drivers from R450 on have them."};
    }
    return library;
}

std::string Library::text_of(Return code) const {
    const char* text = functions_.error_string ? functions_.error_string(code) : nullptr;
    return text ? text : "NVML error " + std::to_string(code);
}

}  // namespace berth::gpu::nvml
