#include "hub/profiles.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::hub {
namespace {

// A form sends ["2"], a script sends 2 or "2".
const json::value* option_at(const json::value& user_options, std::string_view key) {
    const auto* object = user_options.if_object();
    const auto* value = object == nullptr ? nullptr : object->if_contains(key);
    if (value == nullptr || value->is_null()) return nullptr;
    if (const auto* list = value->if_array(); list != nullptr && list->size() == 1) return &list->front();
    return value;
}

Result<std::optional<std::string>> text_option(const json::value& user_options, std::string_view key) {
    const auto* value = option_at(user_options, key);
    if (value == nullptr) return std::optional<std::string>{};
    if (const auto* text = value->if_string()) return std::optional<std::string>(std::string(*text));
    return Error{HubErrc::options_invalid, "The option '" + std::string(key) + "' must be a text."};
}

Result<std::optional<std::uint32_t>> count_option(const json::value& user_options, std::string_view key) {
    const auto* value = option_at(user_options, key);
    if (value == nullptr) return std::optional<std::uint32_t>{};
    std::int64_t number = -1;
    if (value->is_int64()) {
        number = value->get_int64();
    } else if (const auto* text = value->if_string()) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
        if (error != std::errc{} || end != text->data() + text->size()) number = -1;
    }
    if (number < 0 || number > 1024)
        return Error{
            HubErrc::options_invalid,
            "The option '" + std::string(key) + "' must be a whole number from 0 to 1024."};
    return std::optional<std::uint32_t>(static_cast<std::uint32_t>(number));
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool one_of(const std::vector<std::string>& names, const std::vector<std::string>& wanted) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const auto& each) { return holds(names, each); });
}

const config::Profile* find_named(const std::vector<config::Profile>& profiles, const std::string& name) {
    const auto it =
        std::find_if(profiles.begin(), profiles.end(), [&](const auto& p) { return p.name == name; });
    return it == profiles.end() ? nullptr : &*it;
}

std::string names_for(const std::vector<config::Profile>& profiles, const std::vector<std::string>& groups) {
    std::string names;
    for (const auto& profile : profiles) {
        if (!may_use(profile, groups)) continue;
        if (!names.empty()) names += ", ";
        names += profile.name;
    }
    return names.empty() ? "none" : names;
}

Result<config::Profile> choose_profile(
    const std::vector<config::Profile>& profiles,
    const std::vector<std::string>& groups,
    const std::optional<std::string>& name) {
    if (name) {
        const auto* profile = find_named(profiles, *name);
        if (profile == nullptr)
            return Error{
                HubErrc::no_such_profile,
                "There is no profile '" + ellipsized(*name, 64) +
                    "'. You can choose: " + names_for(profiles, groups) + "."};
        if (!may_use(*profile, groups))
            return Error{
                HubErrc::profile_not_allowed,
                "The profile '" + *name + "' is for members of certain groups. You can choose: " +
                    names_for(profiles, groups) + "; an administrator can add you to a group."};
        return *profile;
    }
    for (const auto& profile : profiles) {
        if (may_use(profile, groups)) return profile;
    }
    return Error{
        HubErrc::profile_not_allowed,
        "No profile is open to you. Ask an administrator to add you to a group that has one."};
}

}  // namespace

Person person_of(const identity::Directory& directory, const identity::User& user) {
    return {user.name(), directory.group_names_of(user)};
}

bool may_use(const config::Profile& profile, const std::vector<std::string>& groups) {
    return profile.groups.empty() || one_of(groups, profile.groups);
}

std::vector<std::string> projects_of(const config::GpuOptions& options, const Person& person) {
    std::vector<std::string> names;
    for (const auto& project : options.projects) {
        if (holds(project.users, person.name.value) || one_of(person.groups, project.groups))
            names.push_back(project.name);
    }
    return names;
}

Result<std::string> chosen_project(
    const config::GpuOptions& options, const Person& person, const json::value& user_options) {
    BERTH_TRY(const auto name, text_option(user_options, "project"));
    if (!name || name->empty()) return std::string();
    const auto open = projects_of(options, person);
    if (holds(open, *name)) return *name;
    std::string names;
    for (const auto& each : open)
        names.append(names.empty() ? "" : ", ").append(each);
    return Error{
        HubErrc::project_not_allowed,
        "You cannot hold GPUs for a project '" + ellipsized(*name, 64) + "'. " +
            (open.empty() ? "No project is open to you: name none" : "You can name " + names + ", or none") +
            "; an administrator can add you to one."};
}

std::vector<config::Profile> profiles_in_force(const config::Options& options, std::size_t devices) {
    std::vector<config::Profile> profiles = options.profiles;
    if (profiles.empty()) {
        config::Profile gpu;
        gpu.name = "gpu";
        gpu.display_name = "GPU notebook";
        gpu.description = "JupyterLab with one GPU.";
        gpu.gpus = 1;
        gpu.max_gpus = static_cast<std::uint32_t>(devices);
        config::Profile cpu;
        cpu.name = "cpu";
        cpu.display_name = "CPU notebook";
        cpu.description = "JupyterLab without a GPU.";
        if (devices > 0) profiles.push_back(std::move(gpu));
        profiles.push_back(std::move(cpu));
    }
    for (auto& profile : profiles) {
        if (profile.image.empty()) profile.image = options.docker.image;
        if (profile.display_name.empty()) profile.display_name = profile.name;
        profile.max_gpus = std::max(profile.max_gpus, profile.gpus);
    }
    return profiles;
}

Result<ResolvedStart> resolve_start(
    const config::Options& options,
    const std::vector<config::Profile>& profiles,
    const Person& person,
    const json::value& user_options) {
    const auto& groups = person.groups;
    BERTH_TRY(const auto name, text_option(user_options, "profile"));
    BERTH_TRY(const auto gpus, count_option(user_options, "gpus"));
    BERTH_TRY(const auto image, text_option(user_options, "image"));
    BERTH_TRY(auto profile, choose_profile(profiles, groups, name));
    if (image && *image != profile.image) {
        const auto offered = std::find_if(profiles.begin(), profiles.end(), [&](const auto& p) {
            return p.image == *image && may_use(p, groups);
        });
        if (offered == profiles.end() || name)
            return Error{
                HubErrc::image_not_allowed,
                "The image '" + ellipsized(*image, 128) +
                    "' is not one you may use. Choose a profile instead: " + names_for(profiles, groups) +
                    "."};
        profile = *offered;
    }
    ResolvedStart resolved;
    BERTH_TRY(resolved.project, chosen_project(options.gpu, person, user_options));
    const auto* wait = option_at(user_options, "wait");
    resolved.wait = options.gpu.queue.enabled &&
                    (wait == nullptr || (*wait != json::value(false) && *wait != json::value("false")));
    resolved.gpus = gpus.value_or(profile.gpus);
    if (resolved.gpus > profile.max_gpus)
        return Error{
            HubErrc::too_many_gpus,
            "The profile '" + profile.name + "' gives at most " + std::to_string(profile.max_gpus) +
                (profile.max_gpus == 1 ? " GPU" : " GPUs") + "; you asked for " +
                std::to_string(resolved.gpus) + "."};
    const bool shared = options.gpu.oversubscription > 1 && !profile.gpu_exclusive;
    resolved.sharing = shared ? gpu::Sharing::shared : gpu::Sharing::exclusive;
    resolved.profile = std::move(profile);
    return resolved;
}

}  // namespace berth::hub
