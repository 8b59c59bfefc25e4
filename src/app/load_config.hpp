// The configuration that a command is about.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace berth::app {

// Where a packaged Berth has it; used by every command that was given no other and finds it there.
inline constexpr const char* kSystemConfig = "/etc/berth/berth.yaml";

// `path` empty: kSystemConfig where there is one, else the defaults.
config::Loaded load_config(const std::string& path);
// Says what is wrong with it. Returns 0 or the exit code 78.
int report(const std::vector<config::Problem>& problems);

}  // namespace berth::app
