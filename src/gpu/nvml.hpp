// NVML, loaded by name at run time. The agent process only: every call may hang in a sick driver.
// Symbols are resolved with their version suffix; one that this driver lacks is "not supported", never an
// error.
#pragma once

#include "base/result.hpp"
#include "gpu/agent_report.hpp"
#include "gpu/nvml_abi.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::gpu::nvml {

// The functions the agent calls; null where the driver does not have them.
struct Functions {
    Return (*init_v2)() = nullptr;
    Return (*init_with_flags)(unsigned) = nullptr;
    Return (*shutdown)() = nullptr;
    const char* (*error_string)(Return) = nullptr;
    Return (*driver_version)(char*, unsigned) = nullptr;
    Return (*count_v2)(unsigned*) = nullptr;
    Return (*handle_by_index_v2)(unsigned, Handle*) = nullptr;
    Return (*uuid)(Handle, char*, unsigned) = nullptr;
    Return (*name)(Handle, char*, unsigned) = nullptr;
    Return (*minor_number)(Handle, unsigned*) = nullptr;
    Return (*pci_info_v3)(Handle, PciInfo*) = nullptr;
    Return (*memory_info)(Handle, Memory*) = nullptr;
    Return (*memory_info_v2)(Handle, MemoryV2*) = nullptr;
    Return (*utilization)(Handle, Utilization*) = nullptr;
    Return (*temperature)(Handle, int, unsigned*) = nullptr;
    Return (*power_usage)(Handle, unsigned*) = nullptr;
    Return (*total_energy)(Handle, unsigned long long*) = nullptr;
    Return (*common_ancestor)(Handle, Handle, unsigned*) = nullptr;
    Return (*nvlink_state)(Handle, unsigned, unsigned*) = nullptr;
    Return (*nvlink_remote_type)(Handle, unsigned, unsigned*) = nullptr;
    Return (*nvlink_remote_pci_v2)(Handle, unsigned, PciInfo*) = nullptr;
    Return (*compute_processes_v3)(Handle, unsigned*, void*) = nullptr;
    Return (*compute_processes_v2)(Handle, unsigned*, void*) = nullptr;
};

// A loaded library. It stays loaded for the life of the process: drivers do not like to be unloaded.
class Library {
public:
    // The AgentError says library_missing or symbol_missing, and what to do.
    static boost::system::result<Library, AgentError> load(const std::string& name);
    const Functions& functions() const { return functions_; }
    std::string text_of(Return code) const;

private:
    Functions functions_;
};

}  // namespace berth::gpu::nvml
