// One NVML session: initialise, then scan again and again. The agent process only; calls block.
#pragma once

#include "gpu/nvml.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace berth::gpu {

class Scanner {
public:
    explicit Scanner(nvml::Library library) : library_(library) {}
    ~Scanner();
    Scanner(const Scanner&) = delete;

    // Every device, or why NVML does not answer; then the next scan initialises anew.
    AgentReport scan();

private:
    const nvml::Functions& nvml() const { return library_.functions(); }
    std::optional<AgentError> initialise();
    AgentError error_of(nvml::Return code, const std::string& call) const;
    std::optional<DeviceReading> read(unsigned index, nvml::Handle& device);
    void read_links(AgentSnapshot& snapshot, const std::vector<nvml::Handle>& handles);
    void read_identity(nvml::Handle device, DeviceReading& reading);
    void read_load(nvml::Handle device, DeviceReading& reading);
    void read_memory(nvml::Handle device, DeviceReading& reading);
    void read_processes(nvml::Handle device, DeviceReading& reading);
    // Calls unless this device is known not to support it; a fault the call reports is noted in the reading.
    template <class Function, class... Arguments>
    bool ask(
        DeviceReading& reading,
        Function* function,
        const char* call,
        nvml::Handle device,
        Arguments... arguments);

    nvml::Library library_;
    bool initialised_ = false;
    std::vector<std::string>
        uuids_;  // by index, of the last good scan: a lost device no longer tells its own
    std::vector<std::string> linked_;  // the UUIDs by index that links_ are of; "" one that did not answer
    std::vector<std::vector<DeviceLink>> links_;
    std::set<std::pair<std::string, std::string>> unsupported_;  // (uuid, call): asked once, never again
};

}  // namespace berth::gpu
