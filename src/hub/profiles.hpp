// What a person may start: the profiles of the configuration, or, when it names none, ones made from
// docker.image and the devices there are ("gpu" with one device, and "cpu"); and the projects for which they
// may hold GPUs. Resolved here, on the server; a form only suggests. Pure.
#pragma once

#include "base/result.hpp"
#include "config/options.hpp"
#include "gpu/ledger.hpp"
#include "hub/errors.hpp"
#include "identity/directory.hpp"

#include <string>
#include <vector>

namespace berth::hub {

// Whose server it is.
struct Person {
    UserName name;
    std::vector<std::string> groups;
};
Person person_of(const identity::Directory& directory, const identity::User& user);

// A profile with the request's choices filled in: what the plan is made of.
struct ResolvedStart {
    config::Profile profile;
    std::string project;  // "": none
    std::uint32_t gpus = 0;
    gpu::Sharing sharing = gpu::Sharing::exclusive;
    bool wait = true;  // for GPUs, when none is free
};

// The profiles in force, in the order of the form; the first that a person may use is their default.
std::vector<config::Profile> profiles_in_force(const config::Options& options, std::size_t devices);
bool may_use(const config::Profile& profile, const std::vector<std::string>& groups);

// Those for which the person may hold GPUs, in the order of the configuration.
std::vector<std::string> projects_of(const config::GpuOptions& options, const Person& person);
// The one that the options name, "" when they name none. Errors: project_not_allowed, which names those the
// person may, but not whether there is one of that name; options_invalid.
Result<std::string> chosen_project(
    const config::GpuOptions& options, const Person& person, const json::value& user_options);

// `user_options`: null, or an object with any of profile (string), gpus (integer), project (string), wait
// (false: be refused when no GPU is free), image (string: only one that a profile the person may use names);
// a list of one string stands for the string, as forms send it. Other keys are kept in the record and mean
// nothing here.
// Errors: no_such_profile, profile_not_allowed, options_invalid, image_not_allowed, too_many_gpus,
// project_not_allowed.
Result<ResolvedStart> resolve_start(
    const config::Options& options,
    const std::vector<config::Profile>& profiles,
    const Person& person,
    const json::value& user_options);

}  // namespace berth::hub
