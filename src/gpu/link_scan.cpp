#include "gpu/link_scan.hpp"

#include <algorithm>
#include <optional>

namespace berth::gpu {
namespace {

using nvml::Handle;

// The active NVLinks of one device.
struct Ports {
    std::uint32_t to_switch = 0;
    std::vector<std::uint32_t> to_device;  // by place in the list
};

bool is_same_place(const nvml::PciInfo& a, const nvml::PciInfo& b) {
    return a.domain == b.domain && a.bus == b.bus && a.device == b.device;
}

std::optional<nvml::PciInfo> place_of(const nvml::Functions& nvml, Handle device) {
    nvml::PciInfo pci{};
    if (device == nullptr || !nvml.pci_info_v3 || nvml.pci_info_v3(device, &pci) != nvml::kSuccess)
        return std::nullopt;
    return pci;
}

using Places = std::vector<std::optional<nvml::PciInfo>>;

void follow(const nvml::Functions& nvml, Handle device, unsigned link, const Places& places, Ports& ports) {
    unsigned type = 0;
    if (nvml.nvlink_remote_type && nvml.nvlink_remote_type(device, link, &type) == nvml::kSuccess &&
        type == nvml::kNvLinkToSwitch) {
        ++ports.to_switch;
        return;
    }
    nvml::PciInfo remote{};
    if (!nvml.nvlink_remote_pci_v2 || nvml.nvlink_remote_pci_v2(device, link, &remote) != nvml::kSuccess)
        return;
    for (std::size_t at = 0; at < places.size(); ++at) {
        if (places[at] && is_same_place(*places[at], remote)) ++ports.to_device[at];
    }
}

Ports ports_of(const nvml::Functions& nvml, Handle device, const Places& places) {
    Ports ports;
    ports.to_device.resize(places.size());
    if (device == nullptr || !nvml.nvlink_state) return ports;
    for (unsigned link = 0; link < nvml::kMostNvLinks; ++link) {
        unsigned state = 0;
        const auto code = nvml.nvlink_state(device, link, &state);
        // Past the last one of this device: "invalid argument" or "not supported".
        if (code != nvml::kSuccess) break;
        if (state == nvml::kNvLinkActive) follow(nvml, device, link, places, ports);
    }
    return ports;
}

}  // namespace

std::vector<std::vector<DeviceLink>> read_links(
    const nvml::Functions& nvml, const std::vector<Handle>& handles) {
    std::vector<std::vector<DeviceLink>> links(handles.size());
    if (!nvml.common_ancestor || handles.size() < 2) return links;
    Places places;
    for (Handle each : handles)
        places.push_back(place_of(nvml, each));
    std::vector<Ports> ports;
    ports.reserve(handles.size());
    for (Handle each : handles)
        ports.push_back(ports_of(nvml, each, places));
    for (std::size_t a = 0; a < handles.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            if (handles[a] == nullptr || handles[b] == nullptr) continue;
            DeviceLink link;
            if (nvml.common_ancestor(handles[a], handles[b], &link.level) != nvml::kSuccess) continue;
            const auto direct = std::min(ports[a].to_device[b], ports[b].to_device[a]);
            link.nvlinks = direct + std::min(ports[a].to_switch, ports[b].to_switch);
            for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
                // Whatever is not told is as far away as it can be.
                links[from].resize(handles.size(), {.nvlinks = 0, .level = nvml::kLevelSystem});
                links[from][from] = {};
                links[from][to] = link;
            }
        }
    }
    return links;
}

}  // namespace berth::gpu
