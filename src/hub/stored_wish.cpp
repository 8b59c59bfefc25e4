#include "hub/stored_wish.hpp"

#include <algorithm>

namespace berth::hub {

json::object stored_wish(const gpu::Wish& wish) {
    json::object stored{{"gpus", wish.count}, {"pool", wish.pool}, {"model", wish.model}};
    stored["min_memory"] = wish.min_memory.count;
    if (wish.among.empty()) return stored;
    json::array devices;
    for (const auto& uuid : wish.among)
        devices.emplace_back(uuid.value);
    stored["devices"] = std::move(devices);
    return stored;
}

gpu::Wish wish_of_stored(const json::object& stored) {
    gpu::Wish wish;
    wish.count = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
        int_at(stored, "gpus").value_or(1), 1, static_cast<std::int64_t>(gpu::kMaxDevices)));
    wish.pool = string_at(stored, "pool").value_or("");
    wish.model = string_at(stored, "model").value_or("");
    wish.min_memory.count =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_at(stored, "min_memory").value_or(0)));
    const auto* devices = array_at(stored, "devices");
    for (const auto& each : devices != nullptr ? *devices : json::array{}) {
        if (each.is_string()) wish.among.emplace_back(std::string(each.get_string()));
    }
    return wish;
}

}  // namespace berth::hub
