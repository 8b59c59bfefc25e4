#include "gpu/agent_report.hpp"

namespace berth::gpu {
namespace {

template <class Number>
void put(json::object& object, std::string_view key, const std::optional<Number>& value) {
    if (value) object.emplace(key, *value);
}

json::object to_json(const GpuProcess& process) {
    json::object object{{"pid", process.pid}};
    put(object, "used", process.used_bytes);
    if (!process.name.empty()) object.emplace("name", process.name);
    if (!process.container.empty()) object.emplace("container", process.container);
    if (!process.user.empty()) object.emplace("user", process.user);
    if (!process.server.empty()) object.emplace("server", process.server);
    return object;
}

json::array to_json(const std::vector<DeviceLink>& links) {
    json::array pairs;
    for (const auto& link : links)
        pairs.push_back(json::array{link.nvlinks, link.level});
    return pairs;
}

json::object to_json(const DeviceReading& device) {
    json::object object{
        {"uuid", device.uuid},
        {"name", device.name},
        {"pci", device.pci_bus_id},
        {"memory", device.memory_bytes}};
    put(object, "index", device.index);
    put(object, "minor", device.minor);
    put(object, "used", device.used_bytes);
    put(object, "utilisation", device.utilisation_percent);
    put(object, "temperature", device.temperature_celsius);
    put(object, "power", device.power_milliwatts);
    put(object, "energy", device.energy_millijoules);
    if (!device.links.empty()) object.emplace("links", to_json(device.links));
    if (!device.fault.empty()) object.emplace("fault", device.fault);
    json::array processes;
    for (const auto& process : device.processes)
        processes.push_back(to_json(process));
    if (!processes.empty()) object.emplace("processes", std::move(processes));
    return object;
}

json::object to_json(const AgentSnapshot& snapshot) {
    json::array devices;
    for (const auto& device : snapshot.devices)
        devices.push_back(to_json(device));
    return {{"driver", snapshot.driver_version}, {"devices", std::move(devices)}};
}

json::object to_json(const AgentError& error) {
    return {{"error", error.reason}, {"code", error.code}, {"message", error.message}};
}

std::optional<std::uint64_t> natural_of(const json::value* value) {
    if (!value) return std::nullopt;
    boost::system::error_code failed;
    const auto number = value->to_number<std::uint64_t>(failed);
    return failed ? std::nullopt : std::optional(number);
}

std::optional<std::uint64_t> natural_at(const json::object& object, std::string_view key) {
    return natural_of(object.if_contains(key));
}

std::optional<std::uint32_t> small_of(const json::value* value) {
    const auto number = natural_of(value);
    if (!number || *number > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint32_t> small_at(const json::object& object, std::string_view key) {
    return small_of(object.if_contains(key));
}

std::string text_at(const json::object& object, std::string_view key) {
    return string_at(object, key).value_or("");
}

GpuProcess process_from(const json::object& object) {
    return {
        .pid = small_at(object, "pid").value_or(0),
        .used_bytes = natural_at(object, "used"),
        .name = text_at(object, "name"),
        .container = text_at(object, "container"),
        .user = text_at(object, "user"),
        .server = text_at(object, "server")};
}

std::vector<DeviceLink> links_from(const json::object& object) {
    std::vector<DeviceLink> links;
    const auto* pairs = array_at(object, "links");
    if (!pairs) return links;
    for (const auto& each : *pairs) {
        const auto* pair = each.if_array();
        if (!pair || pair->size() != 2) return {};
        links.push_back(
            {.nvlinks = small_of(pair->if_contains(0)).value_or(0),
             .level = small_of(pair->if_contains(1)).value_or(0)});
    }
    return links;
}

DeviceReading device_from(const json::object& object) {
    DeviceReading device{
        .uuid = text_at(object, "uuid"),
        .name = text_at(object, "name"),
        .pci_bus_id = text_at(object, "pci"),
        .index = small_at(object, "index"),
        .minor = small_at(object, "minor"),
        .memory_bytes = natural_at(object, "memory").value_or(0),
        .used_bytes = natural_at(object, "used"),
        .utilisation_percent = small_at(object, "utilisation"),
        .temperature_celsius = small_at(object, "temperature"),
        .power_milliwatts = small_at(object, "power"),
        .energy_millijoules = natural_at(object, "energy"),
        .processes = {},
        .links = links_from(object),
        .fault = text_at(object, "fault")};
    if (const auto* processes = array_at(object, "processes")) {
        for (const auto& each : *processes) {
            if (const auto* process = each.if_object()) device.processes.push_back(process_from(*process));
        }
    }
    return device;
}

}  // namespace

std::string to_line(const AgentReport& report) {
    return json::serialize(std::visit([](const auto& each) { return to_json(each); }, report));
}

std::optional<AgentReport> parse_agent_line(std::string_view line) {
    const auto document = parse_json(line);
    const json::object* object = document ? document->if_object() : nullptr;
    if (!object) return std::nullopt;
    if (const auto reason = string_at(*object, "error")) {
        return AgentError{
            .reason = *reason,
            .code = static_cast<int>(int_at(*object, "code").value_or(0)),
            .message = text_at(*object, "message")};
    }
    const auto* devices = array_at(*object, "devices");
    if (!devices) return std::nullopt;
    AgentSnapshot snapshot{.driver_version = text_at(*object, "driver"), .devices = {}};
    for (const auto& each : *devices) {
        if (const auto* device = each.if_object()) snapshot.devices.push_back(device_from(*device));
    }
    return snapshot;
}

}  // namespace berth::gpu
