#include "spawn/names.hpp"
#include "spawn/spawner.hpp"

namespace berth::spawn {

std::string_view text_of(SpawnErrc reason) {
    switch (reason) {
        case SpawnErrc::image_not_found:
            return "image not found";
        case SpawnErrc::image_pull_failed:
            return "image could not be fetched";
        case SpawnErrc::not_permitted:
            return "not permitted";
        case SpawnErrc::bad_request:
            return "refused by the backend";
        case SpawnErrc::exited_early:
            return "ended before it was ready";
        case SpawnErrc::start_timeout:
            return "not done in time";
        case SpawnErrc::backend_unreachable:
            return "backend unreachable";
        case SpawnErrc::backend_failed:
            return "backend failed";
        case SpawnErrc::devices_differ:
            return "devices differ from the lease";
        case SpawnErrc::no_such_user:
            return "no such system user";
        case SpawnErrc::out_of_memory:
            return "out of memory";
    }
    return "unknown";
}

std::string StartPlan::object_name() const {
    return spawn::object_name(kDefaultNameTemplate, key);
}

json::object StartPlan::to_stored() const {
    json::array uuids;
    for (const auto& device : devices)
        uuids.emplace_back(device.value);
    json::object stored{
        {"instance", instance},
        {"user", key.user.value},
        {"server_name", key.server.value},
        {"server", number_of(server)},
        {"generation", generation},
        {"profile", profile.name},
        {"image", profile.image},
        {"devices", std::move(uuids)},
        {"service_prefix", service_prefix},
    };
    if (lease) stored["lease"] = number_of(*lease);
    return stored;
}

StartPlan StartPlan::from_stored(const json::object& stored) {
    StartPlan plan;
    plan.instance = string_at(stored, "instance").value_or("");
    plan.key.user = UserName(string_at(stored, "user").value_or(""));
    plan.key.server = ServerName(string_at(stored, "server_name").value_or(""));
    plan.server = ServerId{int_at(stored, "server").value_or(0)};
    plan.generation = int_at(stored, "generation").value_or(0);
    plan.profile.name = string_at(stored, "profile").value_or("");
    plan.profile.image = string_at(stored, "image").value_or("");
    plan.service_prefix = string_at(stored, "service_prefix").value_or("");
    if (const auto lease = int_at(stored, "lease")) plan.lease = LeaseId{*lease};
    if (const auto* uuids = array_at(stored, "devices")) {
        for (const auto& uuid : *uuids) {
            if (const auto* text = uuid.if_string()) plan.devices.emplace_back(std::string(*text));
        }
    }
    return plan;
}

}  // namespace berth::spawn
