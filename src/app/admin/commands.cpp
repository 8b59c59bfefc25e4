#include "app/admin/commands.hpp"

#include "app/admin/exit_codes.hpp"
#include "app/load_config.hpp"

#include <iostream>

namespace berth::app {

CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& help) {
    auto* group = app.add_subcommand(name, help);
    group->require_subcommand(1);
    group->footer(kExitCodes);
    return group;
}

CLI::App* add_bare(
    CLI::App& parent, const std::string& name, const std::string& help, AdminCommands& commands) {
    auto* command = parent.add_subcommand(name, help);
    command->add_option("--config,-c", commands.config, "Configuration of the hub (YAML)")
        ->envname("BERTH_CONFIG")
        ->check(CLI::ExistingFile);
    command->add_option("--socket", commands.socket, "Administration socket of the hub, instead of --config")
        ->envname("BERTH_SOCKET");
    command->add_flag("--json", commands.as_json, "Print JSON for programs");
    command->footer(kExitCodes);
    return command;
}

int run_admin_command(const AdminCommands& commands) {
    auto socket = commands.socket;
    if (socket.empty()) {
        const auto loaded = load_config(commands.config);
        if (const int status = report(loaded.problems); status != 0) return status;
        socket = loaded.options.admin_socket();
    }
    const auto done = commands.chosen(HubClient(socket));
    if (done) return kDone;
    std::cerr << "berth: " << done.error().message << "\n";
    return exit_code_of(done.error());
}

}  // namespace berth::app
