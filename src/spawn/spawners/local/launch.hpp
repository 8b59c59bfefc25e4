// What a plan becomes as a process: program, environment, folder. Blocking (looks at the disk and the
// accounts).
#pragma once

#include "config/options.hpp"
#include "spawn/spawner.hpp"
#include "spawn/spawners/local/process.hpp"

#include <string>

namespace berth::spawn::local {

struct Places {
    std::string state_dir;
    std::string records() const { return state_dir + "/local"; }
    std::string lab() const { return state_dir + "/lab"; }  // a Jupyter data folder with the hub's notices
    std::string logs() const { return state_dir + "/logs"; }
    std::string log_of(const StartPlan& plan) const { return logs() + "/" + plan.object_name() + ".log"; }
};

// "BERTH_SERVER=…": every process of a server carries it, so that none is left behind.
std::string marker_of(const std::string& instance, ServerId server);

// The program's absolute path and its arguments. Error: bad_request, which says what to install or set.
Result<std::vector<std::string>> resolve_command(
    const config::LocalOptions& options, const config::Profile& profile, const std::string& search_path);

// Errors: bad_request, no_such_user, not_permitted.
Result<ProcessSpec> make_spec(
    const StartPlan& plan, const config::LocalOptions& options, const Places& places, std::uint16_t port);

// CUDA_VISIBLE_DEVICES of the plan: UUIDs with commas, "" when it has none.
std::string visible_devices(const StartPlan& plan);

}  // namespace berth::spawn::local
