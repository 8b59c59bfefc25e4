#include "spawn/environment.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <array>
#include <cstdio>

namespace berth::spawn {
namespace {

std::string without_dashes(std::string_view quoted) {
    std::string out;
    for (const char c : quoted) {
        if (c == '-')
            out += "%2D";
        else
            out += c;
    }
    return out;
}

std::string json_list(const std::vector<std::string>& items) {
    json::array list;
    for (const auto& item : items)
        list.emplace_back(item);
    return json::serialize(list);
}

// As Python writes a float: "4.0", "0.5".
std::string float_text(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.10g", value);
    std::string out(text.data());
    if (out.find_first_of(".e") == std::string::npos) out += ".0";
    return out;
}

void add_limits(Environment& environment, const EnvironmentInputs& inputs) {
    if (inputs.memory) environment["MEM_LIMIT"] = std::to_string(inputs.memory->count);
    if (inputs.cpus) environment["CPU_LIMIT"] = float_text(*inputs.cpus);
}

void add_public_urls(Environment& environment, const EnvironmentInputs& inputs, const std::string& prefix) {
    const std::string& origin = inputs.public_origin;
    environment["JUPYTERHUB_HOST"] = origin;
    environment["JUPYTERHUB_PUBLIC_URL"] = origin.empty() ? "" : origin + prefix;
    environment["JUPYTERHUB_PUBLIC_HUB_URL"] = origin.empty() ? "" : origin + inputs.base_path + "hub/";
}

}  // namespace

std::string service_prefix(std::string_view base_path, const ServerKey& key) {
    std::string path = std::string(base_path) + "user/" + url_escape_path(key.user.value) + "/";
    if (!key.server.empty()) path += url_escape_path(key.server.value) + "/";
    return path;
}

std::string oauth_client_id(const ServerKey& key) {
    std::string id = "jupyterhub-user-" + without_dashes(quote(key.user.value));
    if (!key.server.empty()) id += "-" + quote(key.server.value);
    return id;
}

std::string oauth_callback_url(std::string_view base_path, const ServerKey& key) {
    return service_prefix(base_path, key) + "oauth_callback";
}

std::vector<std::string> access_scopes(const ServerKey& key) {
    return {"access:servers!server=" + key.full_name(), "access:servers!user=" + key.user.value};
}

std::string service_url(std::string_view host, std::uint16_t port, std::string_view prefix) {
    return "http://" + std::string(host) + ":" + std::to_string(port) + std::string(prefix);
}

Environment make_environment(const EnvironmentInputs& inputs) {
    const std::string prefix = service_prefix(inputs.base_path, inputs.key);
    const std::string scopes = json_list(access_scopes(inputs.key));
    const std::string& token = inputs.api_token.reveal();
    Environment environment{
        {"JUPYTERHUB_API_TOKEN", token},
        {"JPY_API_TOKEN", token},
        {"JUPYTERHUB_CLIENT_ID", oauth_client_id(inputs.key)},
        {"JUPYTERHUB_USER", inputs.key.user.value},
        {"JUPYTERHUB_SERVER_NAME", inputs.key.server.value},
        {"JUPYTERHUB_API_URL", inputs.api_url},
        {"JUPYTERHUB_ACTIVITY_URL",
         inputs.api_url + "/users/" + url_escape_path(inputs.key.user.value) + "/activity"},
        {"JUPYTERHUB_BASE_URL", inputs.base_path},
        {"JUPYTERHUB_SERVICE_PREFIX", prefix},
        {"JUPYTERHUB_SERVICE_URL", service_url("0.0.0.0", 8888, prefix)},
        {"JUPYTERHUB_OAUTH_CALLBACK_URL", oauth_callback_url(inputs.base_path, inputs.key)},
        {"JUPYTERHUB_OAUTH_SCOPES", scopes},         // images of JupyterHub 2
        {"JUPYTERHUB_OAUTH_ACCESS_SCOPES", scopes},  // since 3
        {"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", json_list(inputs.oauth_client_allowed_scopes)},
        {"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "0"},
    };
    add_public_urls(environment, inputs, prefix);
    if (!inputs.default_url.empty()) environment["JUPYTERHUB_DEFAULT_URL"] = inputs.default_url;
    if (!inputs.image.empty()) environment["JUPYTER_IMAGE_SPEC"] = inputs.image;
    add_limits(environment, inputs);
    for (const auto& [name, value] : inputs.common)
        environment[name] = value;
    for (const auto& [name, value] : inputs.profile)
        environment[name] = value;
    return environment;
}

void drop_device_variables(Environment& environment) {
    constexpr std::array<std::string_view, 7> kNames = {
        "NVIDIA_VISIBLE_DEVICES",
        "CUDA_VISIBLE_DEVICES",
        "AMD_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL",
        "ZE_AFFINITY_MASK",
    };
    for (const auto name : kNames)
        environment.erase(std::string(name));
    std::erase_if(environment, [](const auto& each) { return each.first.starts_with("DOCKER_RESOURCE_"); });
}

}  // namespace berth::spawn
