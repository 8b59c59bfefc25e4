#include "app/main.hpp"

#include "app/admin/commands.hpp"
#include "app/admin/exit_codes.hpp"
#include "app/completion.hpp"
#include "app/load_config.hpp"
#include "app/local_commands.hpp"
#include "app/proxy_command.hpp"
#include "app/serve.hpp"
#include "config/config.hpp"
#include "gpu/agent.hpp"
#include "store/backup.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>

namespace berth::app {
namespace {

struct ConfigFlags {
    std::string action;
    std::string file;
};

int config_command(const ConfigFlags& flags) {
    if (flags.action == "defaults") {
        std::cout << config::defaults();
        return 0;
    }
    if (flags.action == "docs") {
        std::cout << config::documentation();
        return 0;
    }
    const auto loaded = flags.file.empty() ? config::load_defaults() : load_config(flags.file);
    if (const int status = report(loaded.problems); status != 0) return status;
    if (flags.action == "show")
        std::cout << config::show(loaded.options);
    else
        std::cout << "berth: " << (flags.file.empty() ? "the defaults" : flags.file) << ": fine\n";
    return 0;
}

struct ServeFlags {
    std::string file;
    unsigned stand_in_gpus = 0;
    bool only_check = false;
};

// What a hub asks of the program that is to take its place.
int check_serve(const config::Options& options) {
    const auto database = options.state_dir + "/berth.sqlite";
    if (!std::filesystem::exists(database)) return kDone;
    const auto facts = store::check_database(database);
    if (facts) return kDone;
    std::cerr << "berth: " << facts.error().message << "\n";
    return kFailed;
}

int serve_command(const ServeFlags& flags) {
    auto loaded = flags.file.empty() ? config::load_defaults() : load_config(flags.file);
    if (const int status = report(loaded.problems); status != 0) return status;
    if (flags.only_check) return check_serve(loaded.options);
    return serve(std::move(loaded.options), flags.stand_in_gpus);
}

}  // namespace

int run(int argc, char** argv) {
    // The proxy reads its own flags: they are configurable-http-proxy's.
    if (argc > 1 && std::string_view(argv[1]) == "proxy") return proxy_command(argc - 1, argv + 1);

    CLI::App app("Berth: multi-user notebooks on GPU servers.", "berth");
    app.set_version_flag("--version", BERTH_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Try: berth serve                 (a trial with defaults, state in ./state)\n"
        "     berth serve --config FILE   (see: berth config defaults)");

    ServeFlags serve_flags;
    auto* serve_app =
        app.add_subcommand("serve", "Run the hub; starts or adopts the proxy and the GPU agent");
    serve_app->add_option("--config,-c", serve_flags.file, "Configuration file (YAML)")
        ->check(CLI::ExistingFile);
    serve_app
        ->add_option(
            "--stand-in-gpus", serve_flags.stand_in_gpus, "Pretend that there are N GPUs; every page says so")
        ->check(CLI::Range(1U, 64U));
    serve_app->add_flag(
        "--check",
        serve_flags.only_check,
        "Only say whether this configuration and database would be served");

    app.add_subcommand(
        "proxy", "Run the proxy alone (configurable-http-proxy's flags; see berth proxy --help)");

    gpu::AgentOptions agent;
    std::int64_t interval_ms = agent.interval.count();
    auto* agent_app = app.add_subcommand("gpu-agent", "Read GPUs for the hub (started by it, never by hand)");
    agent_app->add_option("--library", agent.library, "NVML library");
    agent_app->add_option("--interval-ms", interval_ms, "Between two snapshots")
        ->check(CLI::Range(10, 3'600'000));

    ConfigFlags flags;
    auto* config_app = app.add_subcommand("config", "Check, show or document the configuration");
    config_app->require_subcommand(1);
    for (const char* action : {"check", "show", "defaults", "docs"}) {
        auto* sub = config_app->add_subcommand(action);
        sub->add_option("FILE,--config", flags.file, "Configuration file (YAML)");
        sub->callback([&flags, action] { flags.action = action; });
    }
    AdminCommands admin;
    add_user_commands(app, admin);
    add_group_commands(app, admin);
    add_server_commands(app, admin);
    add_gpu_commands(app, admin);
    add_token_commands(app, admin);
    add_audit_command(app, admin);
    LocalCommands local;
    add_backup_commands(app, local);
    add_doctor_command(app, local);
    add_replay_command(*app.get_subcommand("gpu"), local);

    std::string shell;
    auto* completion = app.add_subcommand("completion", "Print the completion script of a shell");
    completion->add_option("SHELL", shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->footer("Try: source <(berth completion bash)");
    if (argc > 1 && std::string_view(argv[1]) == "__complete") {
        const std::vector<std::string> words(argv + 2, argv + argc);
        return print_candidates(app, words);
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {  // CLI11's way to say that it is done
        return app.exit(error) == 0 ? kDone : kUsage;
    }

    if (completion->parsed()) return print_completion(shell);
    if (local.chosen) return local.chosen();
    if (admin.chosen) return run_admin_command(admin);
    agent.interval = std::chrono::milliseconds{interval_ms};
    if (agent_app->parsed()) return gpu::agent_main(agent);
    if (config_app->parsed()) return config_command(flags);
    return serve_command(serve_flags);
}

}  // namespace berth::app
