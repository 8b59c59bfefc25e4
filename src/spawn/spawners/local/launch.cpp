#include "spawn/spawners/local/launch.hpp"

#include "base/text.hpp"
#include "spawn/environment.hpp"
#include "spawn/names.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace berth::spawn::local {
namespace {

constexpr std::string_view kProgram = "jupyterhub-singleuser";
constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// The few variables of the hub's own environment that a program needs to find its way on this machine.
std::string inherited(const char* name, std::string_view otherwise) {
    const char* value = std::getenv(name);
    return value && *value ? value : std::string(otherwise);
}

std::vector<std::string> words_of(std::string_view command) {
    std::vector<std::string> words;
    for (const auto word : split(command, ' ')) {
        if (!word.empty()) words.emplace_back(word);
    }
    return words;
}

bool is_program(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> find_program(const std::string& name, const std::string& search_path) {
    if (name.find('/') != std::string::npos) {
        return is_program(name) ? std::optional(std::filesystem::absolute(name).string()) : std::nullopt;
    }
    for (const auto folder : split(search_path, ':')) {
        const auto candidate = std::filesystem::path(folder) / name;
        if (!folder.empty() && is_program(candidate)) return std::filesystem::absolute(candidate).string();
    }
    return std::nullopt;
}

std::string home_of(const StartPlan& plan, const config::LocalOptions& options, const Places& places) {
    const std::string name_template =
        options.home.empty() ? places.state_dir + "/homes/{username}" : options.home;
    return std::filesystem::absolute(volume_source(name_template, plan.key)).string();
}

void add_account(Environment& environment, const ProcessSpec& spec) {
    environment["HOME"] = spec.directory;
    if (!spec.user) return;
    environment["USER"] = spec.user->name;
    environment["LOGNAME"] = spec.user->name;
    environment["SHELL"] = spec.user->shell;
}

void add_devices(Environment& environment, const StartPlan& plan) {
    drop_device_variables(environment);
    const std::string uuids = visible_devices(plan);
    environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
    environment["CUDA_VISIBLE_DEVICES"] = uuids;
    environment["NVIDIA_VISIBLE_DEVICES"] = uuids.empty() ? "void" : uuids;
}

Environment environment_of(
    const StartPlan& plan, const ProcessSpec& spec, const Places& places, std::uint16_t port) {
    Environment environment;
    // The program's own folder first: what it starts is then of the same installation.
    const auto folder = std::filesystem::path(spec.arguments[0]).parent_path().string();
    environment["PATH"] = folder + ":" + inherited("PATH", kDefaultPath);
    environment["LANG"] = inherited("LANG", "C.UTF-8");
    add_account(environment, spec);
    for (const auto& [name, value] : plan.environment)
        environment[name] = value;
    environment["JUPYTERHUB_SERVICE_URL"] = service_url("127.0.0.1", port, plan.service_prefix);
    if (plan.lab_notice) {
        auto& folders = environment["JUPYTER_PATH"];
        folders += (folders.empty() ? "" : ":") + places.lab();
    }
    add_devices(environment, plan);
    return environment;
}

}  // namespace

std::string marker_of(const std::string& instance, ServerId server) {
    return "BERTH_SERVER=" + instance + "/" + std::to_string(number_of(server));
}

std::string visible_devices(const StartPlan& plan) {
    std::string uuids;
    for (const auto& device : plan.devices)
        uuids += (uuids.empty() ? "" : ",") + device.value;
    return uuids;
}

Result<std::vector<std::string>> resolve_command(
    const config::LocalOptions& options, const config::Profile& profile, const std::string& search_path) {
    auto words = profile.command.empty() ? words_of(options.command) : profile.command;
    const bool by_default = words.empty();
    if (by_default) words.emplace_back(kProgram);
    auto program = find_program(words[0], search_path);
    if (!program) {
        return Error{
            SpawnErrc::bad_request,
            by_default
                ? "The program jupyterhub-singleuser is not on this machine. Install it with "
                  "'pip install jupyterhub jupyterlab', or name another in local.command."
                : "The notebook program '" + words[0] + "' is not on this machine; correct local.command.",
            "looked in " + search_path};
    }
    words[0] = std::move(*program);
    // Jupyter refuses to run as root unless told; only a hub that runs as root, for a trial, comes here as
    // root.
    const bool is_jupyter = std::filesystem::path(words[0]).filename() == kProgram;
    if (is_jupyter && !options.system_users && ::geteuid() == 0) words.emplace_back("--allow-root");
    return words;
}

Result<ProcessSpec> make_spec(
    const StartPlan& plan, const config::LocalOptions& options, const Places& places, std::uint16_t port) {
    ProcessSpec spec;
    BERTH_TRY(spec.arguments, resolve_command(options, plan.profile, inherited("PATH", kDefaultPath)));
    if (options.system_users) {
        BERTH_TRY(spec.user, find_system_user(plan.key.user.value));
    }
    spec.directory = spec.user ? spec.user->home : home_of(plan, options, places);
    spec.log_file = places.log_of(plan);
    for (const auto& [name, value] : environment_of(plan, spec, places, port))
        spec.environment.push_back(name + "=" + value);
    spec.environment.push_back(marker_of(plan.instance, plan.server));
    return spec;
}

}  // namespace berth::spawn::local
