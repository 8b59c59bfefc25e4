// The administrator's commands: thin clients of the REST API over the administration socket. Each group of
// commands is a file that adds itself to the command line and, when it was meant, leaves what to do in
// `chosen`; main.cpp runs it.
#pragma once

#include "app/admin/hub_client.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>

namespace berth::app {

struct AdminCommands {
    std::string config;
    std::string socket;
    bool as_json = false;
    std::function<Result<void>(const HubClient& hub)> chosen;
};

void add_user_commands(CLI::App& app, AdminCommands& commands);
void add_group_commands(CLI::App& app, AdminCommands& commands);
void add_server_commands(CLI::App& app, AdminCommands& commands);
void add_gpu_commands(CLI::App& app, AdminCommands& commands);
void add_gpu_time_commands(CLI::App& group, AdminCommands& commands);  // of the group "gpu"
void add_token_commands(CLI::App& app, AdminCommands& commands);
void add_audit_command(CLI::App& app, AdminCommands& commands);

// A group that needs one of its commands, and a bare command with --config, --socket and --json.
CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& help);
CLI::App* add_bare(
    CLI::App& parent, const std::string& name, const std::string& help, AdminCommands& commands);

// A command that does `action` with what its flags say.
template <class Flags>
CLI::App* add_command(
    CLI::App& parent,
    const std::string& name,
    const std::string& help,
    AdminCommands& commands,
    std::shared_ptr<Flags> flags,
    Result<void> (*action)(const HubClient&, const Flags&, bool as_json)) {
    auto* command = add_bare(parent, name, help, commands);
    command->callback([&commands, flags, action] {
        commands.chosen = [&commands, flags, action](const HubClient& hub) {
            return action(hub, *flags, commands.as_json);
        };
    });
    return command;
}

// Runs what was chosen and says what went wrong. Returns the exit code (exit_codes.hpp).
int run_admin_command(const AdminCommands& commands);

}  // namespace berth::app
