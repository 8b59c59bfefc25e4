#include "gpu/pools.hpp"

#include <algorithm>

namespace berth::gpu {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

const std::string& pool_of(const config::GpuOptions& options, const store::DeviceRow& device) {
    static const std::string kDefault;
    for (const auto& pool : options.pools) {
        const bool by_model = !device.name.empty() && contains(pool.models, device.name);
        if (by_model || contains(pool.devices, device.uuid.value)) return pool.name;
    }
    return kDefault;
}

bool is_open(const config::GpuOptions& options, const std::string& name) {
    for (const auto& pool : options.pools) {
        if (pool.name == name) return pool.privacy == "open";
    }
    return options.privacy == "open";
}

std::string pool_in_words(const std::string& pool) {
    return pool.empty() ? std::string("the default pool") : std::string("pool ").append(pool);
}

}  // namespace berth::gpu
