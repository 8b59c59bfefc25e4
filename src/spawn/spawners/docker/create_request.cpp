#include "spawn/spawners/docker/create_request.hpp"

#include "spawn/environment.hpp"
#include "spawn/names.hpp"

#include <algorithm>
#include <cmath>

namespace berth::spawn::docker {
namespace {

constexpr int kOutOfMemoryScore = 500;  // when the host itself runs out, notebooks end before the hub

std::string uuids_of(const StartPlan& plan) {
    std::string uuids;
    for (const auto& device : plan.devices)
        uuids += (uuids.empty() ? "" : ",") + device.value;
    return uuids;
}

json::object labels_of(const StartPlan& plan) {
    return {
        {label::kInstance, plan.instance},
        {label::kServer, std::to_string(number_of(plan.server))},
        {label::kGeneration, std::to_string(plan.generation)},
        {label::kUser, plan.key.user.value},
        {label::kServerName, plan.key.server.value},
        {label::kLease, plan.lease ? std::to_string(number_of(*plan.lease)) : ""},
        {label::kGpu, uuids_of(plan)},
    };
}

json::array to_json(const std::vector<std::string>& texts) {
    json::array list;
    for (const auto& text : texts)
        list.emplace_back(text);
    return list;
}

// The administrator's Env entries add to ours, since a merge would replace the whole list.
void take_environment(json::object& patch, Environment& environment) {
    if (const auto* entries = array_at(patch, "Env")) {
        for (const auto& entry : *entries) {
            const std::string text = entry.is_string() ? std::string(entry.get_string()) : "";
            const auto equals = text.find('=');
            if (equals != std::string::npos) environment[text.substr(0, equals)] = text.substr(equals + 1);
        }
    }
    patch.erase("Env");
}

// "compute,utility" of {gpu, compute, utility}: the toolkit knows no capability "gpu".
std::string driver_capabilities(const config::Profile& profile) {
    std::string names;
    for (const auto& name : profile.gpu_capabilities) {
        if (name != "gpu") names += (names.empty() ? "" : ",") + name;
    }
    return names;
}

json::array environment_list(const StartPlan& plan, Environment environment) {
    drop_device_variables(environment);
    environment["NVIDIA_VISIBLE_DEVICES"] = visible_devices(plan);
    if (!plan.devices.empty()) environment["NVIDIA_DRIVER_CAPABILITIES"] = driver_capabilities(plan.profile);
    json::array list;
    for (const auto& [name, value] : environment)
        list.emplace_back(name + "=" + value);
    return list;
}

json::object mount_of(const config::VolumeMount& mount, const StartPlan& plan) {
    const std::string source = volume_source(mount.source, plan.key);
    const bool is_path = source.starts_with('/');
    json::object each{
        {"Type", is_path ? "bind" : "volume"},
        {"Source", source},
        {"Target", mount.target},
        {"ReadOnly", mount.read_only},
    };
    if (is_path) return each;
    json::object labels{{label::kInstance, plan.instance}};
    const bool of_one_user = mount.source.find("{username}") != std::string::npos;
    if (of_one_user) labels[label::kUser] = plan.key.user.value;
    each["VolumeOptions"] = json::object{{"Labels", std::move(labels)}};
    return each;
}

std::optional<Bytes> memory_limit(const config::Profile& profile, const config::DockerOptions& options) {
    return profile.memory ? profile.memory : options.memory;
}

// What keeps one container from taking the host with it.
void add_limits(json::object& host, const config::Profile& profile, const config::DockerOptions& options) {
    if (profile.cpus) host["NanoCpus"] = std::llround(*profile.cpus * 1e9);
    if (const auto memory = memory_limit(profile, options)) {
        host["Memory"] = memory->count;
        host["MemorySwap"] = memory->count;  // no swap on top
    }
    if (const auto size = profile.shm_size ? profile.shm_size : options.shm_size)
        host["ShmSize"] = size->count;
    if (options.pids != 0) host["PidsLimit"] = options.pids;
    host["OomScoreAdj"] = kOutOfMemoryScore;
    if (options.log_size) {  // two files, so that the newest lines are there after a change of files
        json::object limits{{"max-size", std::to_string(options.log_size->count / 2)}, {"max-file", "2"}};
        host["LogConfig"] = json::object{{"Type", "json-file"}, {"Config", std::move(limits)}};
    }
}

json::object host_config_of(const StartPlan& plan, const config::DockerOptions& options) {
    json::array mounts;
    for (const auto& mount : options.volumes)
        mounts.push_back(mount_of(mount, plan));
    for (const auto& mount : plan.profile.volumes)
        mounts.push_back(mount_of(mount, plan));
    json::object host{
        {"NetworkMode", options.network},
        {"Mounts", std::move(mounts)},
        {"Init", true},
        {"SecurityOpt", json::array{"no-new-privileges"}},
        // Raw sockets would let the root of an image pass for another container on the bridge.
        {"CapDrop", json::array{"NET_RAW", "MKNOD"}},
    };
    add_limits(host, plan.profile, options);
    return host;
}

bool is_gpu_node(const json::value& device) {
    const auto* object = device.if_object();
    return object && string_at(*object, "PathOnHost").value_or("").starts_with("/dev/nvidia");
}

void add_node(json::array& nodes, const std::string& path) {
    nodes.push_back(
        json::object{{"PathOnHost", path}, {"PathInContainer", path}, {"CgroupPermissions", "rwm"}});
}

Result<void> add_nodes(json::array& nodes, const StartPlan& plan, const config::DockerOptions& options) {
    for (const auto& path : options.devices)
        add_node(nodes, path);
    for (const auto& device : plan.devices) {
        const auto path = plan.device_paths.find(device.value);
        if (path == plan.device_paths.end() || path->second.empty()) {
            return Error{
                SpawnErrc::bad_request,
                "The GPU has no device node, so it cannot be handed out. Ask the administrator to set "
                "gpu.devices[].path, or another docker.gpu_mode.",
                device.value};
        }
        add_node(nodes, path->second);
    }
    return {};
}

json::object device_request(const StartPlan& plan) {
    json::array uuids;
    for (const auto& device : plan.devices)
        uuids.emplace_back(device.value);
    return {
        {"Driver", "nvidia"},  // named: on a host with the helpers of two makers "" may pick the other
        {"DeviceIDs", std::move(uuids)},  // never Count: it means the first n (gpu.md A.1)
        {"Capabilities", json::array{to_json(plan.profile.gpu_capabilities)}},
    };
}

// The devices of the lease and no others, whatever was merged in before.
Result<void> assign_devices(
    json::object& host, const StartPlan& plan, const config::DockerOptions& options, GpuMode mode) {
    host.erase("DeviceRequests");
    if (string_at(host, "Runtime") == "nvidia") host.erase("Runtime");
    json::array nodes = array_at(host, "Devices") ? *array_at(host, "Devices") : json::array{};
    nodes.erase(std::remove_if(nodes.begin(), nodes.end(), is_gpu_node), nodes.end());
    const bool leased = !plan.devices.empty();
    if (leased && mode == GpuMode::device_requests)
        host["DeviceRequests"] = json::array{device_request(plan)};
    if (leased && mode == GpuMode::runtime) host["Runtime"] = "nvidia";
    if (leased && mode == GpuMode::devices) {
        BERTH_CHECK(add_nodes(nodes, plan, options));
    }
    if (nodes.empty())
        host.erase("Devices");
    else
        host["Devices"] = std::move(nodes);
    return {};
}

// Berth decides when a container begins and ends, and only its proxy leads to it.
void fix_life_cycle(json::object& request, json::object& host) {
    host["AutoRemove"] = false;
    host["RestartPolicy"] = json::object{{"Name", "no"}};
    host["PublishAllPorts"] = false;
    host.erase("PortBindings");
    request.erase("name");
}

json::object& object_in(json::object& parent, std::string_view key) {
    auto& member = parent[key];
    if (!member.is_object()) member = json::object{};
    return member.get_object();
}

}  // namespace

std::string visible_devices(const StartPlan& plan) {
    return plan.devices.empty() ? "void" : uuids_of(plan);
}

void merge_patch(json::object& target, const json::object& patch) {
    for (const auto& [key, value] : patch) {
        if (value.is_null()) {
            target.erase(key);
        } else if (value.is_object()) {
            merge_patch(object_in(target, key), value.get_object());
        } else {
            target[key] = value;
        }
    }
}

Result<json::object> create_request(
    const StartPlan& plan, const config::DockerOptions& options, GpuMode mode) {
    json::object request{{"HostConfig", host_config_of(plan, options)}};
    if (!plan.profile.command.empty()) request["Cmd"] = to_json(plan.profile.command);
    Environment environment = plan.environment;
    if (const auto memory = memory_limit(plan.profile, options))
        environment["MEM_LIMIT"] = std::to_string(memory->count);
    environment["JUPYTERHUB_SERVICE_URL"] = service_url("0.0.0.0", options.port, plan.service_prefix);

    // From the general to the special: every container, then this profile.
    merge_patch(object_in(request, "HostConfig"), options.host_config);
    for (auto patch : {options.create, plan.profile.docker_create}) {
        take_environment(patch, environment);
        merge_patch(request, patch);
    }

    request["Image"] = plan.profile.image;
    request["Env"] = environment_list(plan, std::move(environment));
    merge_patch(object_in(request, "Labels"), labels_of(plan));
    auto& host = object_in(request, "HostConfig");
    BERTH_CHECK(assign_devices(host, plan, options, mode));
    fix_life_cycle(request, host);
    return request;
}

}  // namespace berth::spawn::docker
