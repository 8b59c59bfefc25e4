// What runs at the engine beside our own containers, and which GPUs it was given.
#include "base/text.hpp"
#include "spawn/spawners/docker/adapter.hpp"

#include <algorithm>

namespace berth::spawn::docker {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongestLook = 5s;  // at foreign containers, in one listing
constexpr std::string_view kCdi = "nvidia.com/gpu=";

void add_named(std::vector<std::string>& claims, std::string_view device) {
    if (device.starts_with(kCdi)) device.remove_prefix(kCdi.size());
    if (device.empty() || device == "none" || device == "void") return;
    claims.emplace_back(device == "all" ? "*" : device);
}

void add_request(std::vector<std::string>& claims, const json::object& request) {
    const auto driver = string_at(request, "Driver").value_or("");
    if (!driver.empty() && driver != "nvidia" && driver != "cdi") return;
    const auto* ids = array_at(request, "DeviceIDs");
    if (ids != nullptr && !ids->empty()) {
        for (const auto& id : *ids) {
            if (const auto* text = id.if_string()) add_named(claims, *text);
        }
        return;
    }
    // A count is always the first so many (gpu.md A.1); -1 is every one.
    const auto count = int_at(request, "Count").value_or(0);
    if (count < 0) claims.emplace_back("*");
    for (std::int64_t i = 0; i < std::min<std::int64_t>(count, 64); ++i)
        claims.push_back(std::to_string(i));
}

bool is_gpu_node(std::string_view path) {
    constexpr std::string_view kPrefix = "/dev/nvidia";
    return path.size() > kPrefix.size() && path.starts_with(kPrefix) &&
           std::all_of(
               path.begin() + kPrefix.size(), path.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void add_environment(std::vector<std::string>& claims, const json::object& config) {
    constexpr std::string_view kVariable = "NVIDIA_VISIBLE_DEVICES=";
    const auto* environment = array_at(config, "Env");
    if (environment == nullptr) return;
    for (const auto& each : *environment) {
        const auto* text = each.if_string();
        if (text == nullptr || !std::string_view(*text).starts_with(kVariable)) continue;
        for (const auto device : split(std::string_view(*text).substr(kVariable.size()), ','))
            add_named(claims, device);
    }
}

}  // namespace

std::vector<std::string> claims_of(const json::value& inspected) {
    std::vector<std::string> claims;
    const auto* object = inspected.if_object();
    const auto* host = object ? object_at(*object, "HostConfig") : nullptr;
    if (host == nullptr) return claims;
    if (const auto* requests = array_at(*host, "DeviceRequests")) {
        for (const auto& request : *requests) {
            if (const auto* each = request.if_object()) add_request(claims, *each);
        }
    }
    if (const auto* devices = array_at(*host, "Devices")) {
        for (const auto& device : *devices) {
            const auto* each = device.if_object();
            const auto path = each ? string_at(*each, "PathOnHost").value_or("") : "";
            if (is_gpu_node(path)) claims.push_back(path);
        }
    }
    const auto* config = object_at(*object, "Config");
    const bool by_environment = claims.empty() && string_at(*host, "Runtime") == "nvidia";
    if (by_environment && config != nullptr) add_environment(claims, *config);
    return claims;
}

// What a container was given never changes, so each is looked at once in its life.
awaitable<std::vector<Foreign>> DockerSpawner::look_at(std::vector<Running> others, Deadline deadline) {
    const auto limit = deadline.earliest(Deadline::in(kLongestLook));
    std::unordered_map<std::string, std::vector<std::string>> seen;
    std::vector<Foreign> foreign;
    for (auto& other : others) {
        const auto known = claims_.find(other.id);
        if (known != claims_.end()) {
            other.devices = known->second;
        } else if (!other.devices && !limit.passed()) {
            const auto answer = co_await engine_.get("/containers/" + quote(other.id) + "/json", limit);
            if (answer && answer->ok()) other.devices = claims_of(answer->body);
        }
        if (!other.devices) continue;  // the next listing comes to it
        seen.emplace(other.id, *other.devices);
        if (!other.devices->empty()) foreign.push_back({other.name, *other.devices, other.id});
    }
    claims_ = std::move(seen);
    co_return foreign;
}

}  // namespace berth::spawn::docker
