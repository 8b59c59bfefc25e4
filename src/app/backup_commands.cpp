// berth backup, berth restore
#include "app/admin/exit_codes.hpp"
#include "app/admin/output.hpp"
#include "app/load_config.hpp"
#include "app/local_commands.hpp"
#include "base/units.hpp"
#include "store/backup.hpp"

#include <iostream>

namespace berth::app {
namespace {

// Of --state-dir, or of the configuration. Says what is wrong and returns the exit code otherwise.
int find_state_dir(LocalCommands& commands) {
    if (!commands.state_dir.empty()) return kDone;
    const auto loaded = load_config(commands.config);
    commands.state_dir = loaded.options.state_dir;
    return report(loaded.problems);
}

int say(const Result<store::DatabaseFacts>& done, const LocalCommands& commands, const std::string& what) {
    if (!done) {
        std::cerr << "berth: " << done.error().message << "\n";
        return kFailed;
    }
    if (commands.as_json)
        print_json(json::object{
            {"schema", done->schema},
            {"berth_version", done->berth_version},
            {"users", done->users},
            {"running_servers", done->running_servers},
            {"bytes", done->bytes}});
    else
        std::cout << what << ": " << done->users << " users, " << done->running_servers
                  << " running servers, schema " << done->schema << ", " << done->bytes << " bytes.\n";
    return kDone;
}

int back_up(LocalCommands& commands) {
    if (const int status = find_state_dir(commands); status != kDone) return status;
    return say(
        store::back_up(commands.state_dir, commands.file),
        commands,
        "The database of " + commands.state_dir + " was copied to " + commands.file +
            ", which holds secrets: keep it as you keep passwords");
}

int restore(LocalCommands& commands) {
    if (const int status = find_state_dir(commands); status != kDone) return status;
    return say(
        store::restore(commands.file, commands.state_dir),
        commands,
        "The database was put into " + commands.state_dir +
            ". Start the hub: it adopts what still runs and settles the rest");
}

CLI::App* add(
    CLI::App& app, const char* name, const char* help, const char* file_help, LocalCommands& commands) {
    auto* command = app.add_subcommand(name, help);
    command->add_option("FILE", commands.file, file_help)->required();
    command->add_option("--config,-c", commands.config, "Configuration of the hub (YAML)")
        ->envname("BERTH_CONFIG")
        ->check(CLI::ExistingFile);
    command->add_option("--state-dir", commands.state_dir, "State directory, instead of --config");
    command->add_flag("--json", commands.as_json, "Print JSON for programs");
    command->footer(kExitCodes);
    return command;
}

}  // namespace

void add_backup_commands(CLI::App& app, LocalCommands& commands) {
    add(app,
        "backup",
        "Copy the database to a file, also while the hub runs",
        "A new file; nothing is overwritten",
        commands)
        ->callback([&commands] { commands.chosen = [&commands] { return back_up(commands); }; });
    add(app,
        "restore",
        "Put a backup into a state directory that has no database, while no hub runs there",
        "What berth backup wrote",
        commands)
        ->callback([&commands] { commands.chosen = [&commands] { return restore(commands); }; });
}

}  // namespace berth::app
