// berth gpu replay: what a month of sessions would meet under the queue, and under what people do without it.
#include "app/admin/exit_codes.hpp"
#include "app/admin/output.hpp"
#include "app/local_commands.hpp"
#include "base/files.hpp"
#include "gpu/replay.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

namespace berth::app {
namespace {

constexpr std::size_t kLongestFile = 1 << 20;

struct Flags {
    std::string file;
    std::vector<std::pair<std::string, double>> settings;  // laid over the file
};

Result<json::object> read_file(const std::string& name) {
    if (name.empty()) return json::object();
    const auto text = contents_of(name, kLongestFile);
    if (!text) {
        return gpu::replay_error("The file of parameters cannot be read, or is longer than a mebibyte.");
    }
    auto parsed = parse_json(*text);
    if (!parsed || !parsed->is_object()) {
        return gpu::replay_error("The file of parameters must be one JSON object.");
    }
    return std::move(parsed->get_object());
}

Result<gpu::ReplayParameters> parameters_of(const Flags& flags) {
    BERTH_TRY(auto given, read_file(flags.file));
    for (const auto& [name, number] : flags.settings)
        given[name] = number;
    return gpu::parse_replay(given);
}

std::string rounded(const json::object& row, std::string_view key, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", digits, row.at(key).to_number<double>());
    return text;
}

void print(const gpu::ReplayParameters& parameters, const std::vector<json::object>& rows) {
    std::cout << parameters.days << " days, " << parameters.devices << " GPUs, " << parameters.users
              << " users, demand " << parameters.demand << ", seed " << parameters.seed << "\n\n";
    Table table(
        {"DISCIPLINE",
         "SERVED",
         "GPU-HOURS OF WORK",
         "MEDIAN WAIT (H)",
         "P90",
         "LONGEST WITHOUT A GPU",
         "FAIRNESS (JAIN)",
         "HELD",
         "AT WORK"});
    for (const auto& row : rows) {
        std::string served = rounded(row, "served", 0);
        table.add(
            {std::string(row.at("discipline").as_string()),
             served.append(" of ").append(rounded(row, "sessions", 0)),
             rounded(row, "work_done_hours", 0),
             rounded(row, "wait_median_hours", 2),
             rounded(row, "wait_p90_hours", 1),
             rounded(row, "longest_without_hours", 1),
             rounded(row, "jain", 3),
             rounded(row, "held_share", 2),
             rounded(row, "busy_share", 2)});
    }
    table.print("");
}

int replay(const Flags& flags, bool as_json) {
    const auto parameters = parameters_of(flags);
    if (!parameters) {
        std::cerr << "berth: " << parameters.error().message << "\n";
        return kUsage;
    }
    std::vector<json::object> rows;
    for (const auto discipline : gpu::kDisciplines)
        rows.push_back(gpu::to_json(*parameters, discipline, gpu::replay(*parameters, discipline)));
    if (as_json)
        print_json(json::array(rows.begin(), rows.end()));
    else
        print(*parameters, rows);
    return kDone;
}

}  // namespace

void add_replay_command(CLI::App& gpu_group, LocalCommands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = gpu_group.add_subcommand(
        "replay", "A month of sessions that never were, with the queue and without; needs no hub");
    command->add_option("FILE,--parameters", flags->file, "Parameters (JSON); the defaults where none")
        ->check(CLI::ExistingFile);
    command->add_option("--set", flags->settings, "One parameter over the file's: --set demand 3")
        ->take_all();
    command->add_flag("--json", commands.as_json, "Print JSON for programs");
    command->footer(
        "Every parameter, with what it means: docs/gpu-queue.md.\n"
        "Exit codes: 0 done; 64 wrong use, or a parameter that is wrong.");
    command->callback([&commands, flags] {
        commands.chosen = [&commands, flags] { return replay(*flags, commands.as_json); };
    });
}

}  // namespace berth::app
