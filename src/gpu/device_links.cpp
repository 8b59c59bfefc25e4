#include "gpu/device_links.hpp"

#include "gpu/nvml_abi.hpp"

#include <algorithm>
#include <optional>

namespace berth::gpu {
namespace {

// By place in the list: how each device reaches each other, where that is known.
class Known {
public:
    explicit Known(const std::vector<DeviceStatus>& inventory)
        : inventory_(inventory), index_(inventory.size()) {
        for (std::size_t at = 0; at < inventory.size(); ++at) {
            const auto& status = inventory[at];
            // The index of a device that is gone may be another's by now.
            if (status.reading && status.health != Health::gone && status.reading->index)
                index_[at] = status.reading->index;
        }
    }

    std::optional<DeviceLink> between(std::size_t a, std::size_t b) const {
        if (!index_[a] || !index_[b]) return std::nullopt;
        const auto& links = inventory_[a].reading->links;
        if (*index_[b] >= links.size()) return std::nullopt;
        return links[*index_[b]];
    }

    // Of the pairs: the closest one; none when nobody is closer than the whole machine.
    std::optional<std::uint32_t> closest_level() const {
        std::optional<std::uint32_t> closest;
        for (std::size_t a = 0; a < inventory_.size(); ++a) {
            for (std::size_t b = 0; b < a; ++b) {
                const auto link = between(a, b);
                if (!link || link->level >= nvml::kLevelSystem) continue;
                closest = std::min(link->level, closest.value_or(link->level));
            }
        }
        return closest;
    }

private:
    const std::vector<DeviceStatus>& inventory_;
    std::vector<std::optional<std::uint32_t>> index_;  // NVML's
};

}  // namespace

std::uint32_t weight_of(const DeviceLink& link) {
    std::uint32_t near = 10;
    if (link.level <= nvml::kLevelSameBoard)
        near = 60;
    else if (link.level <= nvml::kLevelOneSwitch)
        near = 50;
    else if (link.level <= nvml::kLevelSwitches)
        near = 40;
    else if (link.level <= nvml::kLevelHostBridge)
        near = 30;
    else if (link.level <= nvml::kLevelNumaNode)
        near = 20;
    return 100 * std::min(link.nvlinks, nvml::kMostNvLinks) + near;
}

void set_links(std::vector<ScheduledDevice>& devices, const std::vector<DeviceStatus>& inventory) {
    const Known known(inventory);
    const auto closest = known.closest_level();
    for (std::size_t a = 0; a < devices.size(); ++a) {
        devices[a].board = static_cast<std::uint32_t>(a);
        for (std::size_t b = 0; b < devices.size(); ++b) {
            if (a == b) continue;
            const auto link = known.between(a, b);
            if (!link) continue;
            devices[a].links.resize(devices.size());
            devices[a].links[b] = weight_of(*link);
            // Levels form a tree, so the first neighbour has the same first neighbour.
            if (b < a && closest && link->level <= *closest)
                devices[a].board = std::min(devices[a].board, static_cast<std::uint32_t>(b));
        }
    }
}

}  // namespace berth::gpu
