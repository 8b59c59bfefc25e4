// berth doctor
#include "app/admin/exit_codes.hpp"
#include "app/admin/output.hpp"
#include "app/doctor/checks.hpp"
#include "app/load_config.hpp"
#include "app/local_commands.hpp"
#include "app/run_blocking.hpp"

#include <filesystem>
#include <iostream>

namespace berth::app {
namespace {

awaitable<int> check_containers(const config::Options& options, Facts& facts, Report& report) {
    const auto at = spawn::docker::parse_host(options.docker.host);
    if (!at) {
        report.fail("engine", at.error().message, "Correct docker.host.");
        co_return 0;
    }
    spawn::docker::Engine engine(*at);
    const bool usable = co_await check_engine(options, engine, report);
    if (!usable) co_return 0;
    co_await check_images(options, facts, engine, report);
    co_await check_reach(options, facts, engine, report);
    co_await check_gpu_modes(options, facts, engine, report);
    co_return 0;
}

void print(const Report& report) {
    for (const auto& each : report.findings()) {
        std::cout << name_of(each.verdict) << std::string(6 - name_of(each.verdict).size(), ' ')
                  << printable(each.check) << ": " << printable(each.found) << "\n";
        if (!each.to_do.empty()) std::cout << "      -> " << printable(each.to_do) << "\n";
    }
    std::cout << "\n"
              << report.count(Verdict::ok) << " fine, " << report.count(Verdict::warn) << " to look at, "
              << report.count(Verdict::fail) << " broken\n";
}

int examine(const LocalCommands& commands) {
    auto loaded = load_config(commands.config);
    if (const int status = report(loaded.problems); status != 0) return status;
    auto& options = loaded.options;
    options.state_dir = std::filesystem::absolute(options.state_dir).lexically_normal().string();
    Report found;
    Facts facts;
    check_state_dir(options, found);
    check_database(options, facts, found);
    check_clock(options, found);
    check_limits(found);
    check_hub(options, facts, found);
    check_ports(options, facts, found);
    check_gpus(options, facts, found);
    const auto& spawner = options.spawn.spawner;
    if (spawner != "local") (void)run_blocking(check_containers(options, facts, found));
    if (spawner == "local") check_local(options, found);
    if (commands.as_json)
        print_json(found.to_json());
    else
        print(found);
    return found.count(Verdict::fail) == 0 ? kDone : kFailed;
}

}  // namespace

void add_doctor_command(CLI::App& app, LocalCommands& commands) {
    auto* command = app.add_subcommand("doctor", "Look at everything Berth needs, and say what to do");
    command->add_option("--config,-c", commands.config, "Configuration of the hub (YAML)")
        ->envname("BERTH_CONFIG")
        ->check(CLI::ExistingFile);
    command->add_flag("--json", commands.as_json, "Print JSON for programs");
    command->footer(
        "It changes nothing, but runs containers and removes them. Run it as the account that Berth runs "
        "as.\n"
        "Exit codes: 0 nothing is broken; 1 something is; 64 wrong use; 78 the configuration is wrong.");
    command->callback([&commands] { commands.chosen = [&commands] { return examine(commands); }; });
}

}  // namespace berth::app
