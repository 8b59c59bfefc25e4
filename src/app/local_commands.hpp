// Commands that work on this machine's files without asking a hub.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

namespace berth::app {

struct LocalCommands {
    std::string config;
    std::string state_dir;
    std::string file;
    bool as_json = false;
    std::function<int()> chosen;  // returns the exit code
};

void add_backup_commands(CLI::App& app, LocalCommands& commands);
void add_doctor_command(CLI::App& app, LocalCommands& commands);
// Of the group `berth gpu`, whose other commands ask a hub.
void add_replay_command(CLI::App& gpu_group, LocalCommands& commands);

}  // namespace berth::app
