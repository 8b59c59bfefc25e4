#include "app/main.hpp"

#include "app/proxy_command.hpp"
#include "app/serve.hpp"
#include "config/config.hpp"
#include "gpu/agent.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>

namespace berth::app {
namespace {

constexpr int kBadConfiguration = 78;  // EX_CONFIG

config::Loaded load(const std::string& path) {
    const config::Environment environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    return path.empty() ? config::load_defaults() : config::load_file(path, environment);
}

int report(const std::vector<config::Problem>& problems) {
    for (const auto& problem : problems)
        std::cerr << problem.to_string() << "\n";
    if (!problems.empty())
        std::cerr << "berth: nothing was started; see `berth config defaults` for every key.\n";
    return problems.empty() ? 0 : kBadConfiguration;
}

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
    const auto loaded = load(flags.file);
    if (const int status = report(loaded.problems); status != 0) return status;
    if (flags.action == "show")
        std::cout << config::show(loaded.options);
    else
        std::cout << "berth: " << (flags.file.empty() ? "the defaults" : flags.file) << ": fine\n";
    return 0;
}

int serve_command(const std::string& file, unsigned stand_in_gpus) {
    auto loaded = load(file);
    if (const int status = report(loaded.problems); status != 0) return status;
    return serve(std::move(loaded.options), stand_in_gpus);
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

    std::string file;
    unsigned stand_in_gpus = 0;
    auto* serve_app =
        app.add_subcommand("serve", "Run the hub; starts or adopts the proxy and the GPU agent");
    serve_app->add_option("--config,-c", file, "Configuration file (YAML)")->check(CLI::ExistingFile);
    serve_app
        ->add_option("--stand-in-gpus", stand_in_gpus, "Pretend that there are N GPUs; every page says so")
        ->check(CLI::Range(1U, 64U));

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
    CLI11_PARSE(app, argc, argv);

    agent.interval = std::chrono::milliseconds{interval_ms};
    if (agent_app->parsed()) return gpu::agent_main(agent);
    if (config_app->parsed()) return config_command(flags);
    return serve_command(file, stand_in_gpus);
}

}  // namespace berth::app
