// A month of notebook sessions through the real scheduler with a virtual clock, for each discipline.
//
// berth_bench_fairness PARAMETERS.json [KEY=NUMBER…]: prints one JSON object a discipline, one a line.
#include "base/json.hpp"
#include "gpu/replay.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace berth {
namespace {

json::object row_of(const gpu::ReplayParameters& parameters, gpu::Discipline discipline) {
    const auto outcome = gpu::replay(parameters, discipline);
    return {
        {"discipline", gpu::name_of(discipline)},
        {"demand", parameters.demand},
        {"seed", parameters.seed},
        {"sessions", outcome.sessions},
        {"served", outcome.served},
        {"finished", outcome.finished},
        {"requests", outcome.requests},
        {"work_wanted_hours", outcome.work_wanted_hours},
        {"work_done_hours", outcome.work_done_hours},
        {"wait_median_hours", outcome.wait_median_hours},
        {"wait_p90_hours", outcome.wait_p90_hours},
        {"wait_max_hours", outcome.wait_max_hours},
        {"first_wait_median_hours", outcome.first_wait_median_hours},
        {"bound_hours", outcome.bound_hours},
        {"past_bound", outcome.past_bound},
        {"longest_without_hours", outcome.longest_without_hours},
        {"requests_past_bound", outcome.requests_past_bound},
        {"jain", outcome.jain},
        {"jain_of_fraction", outcome.jain_of_fraction},
        {"held_share", outcome.held_share},
        {"busy_share", outcome.busy_share},
        {"reclaimed_idle", outcome.reclaimed_idle},
        {"ended_at_work", outcome.ended_at_work}};
}

int run(int argc, char** argv) {
    std::ifstream file(argv[1]);
    std::stringstream text;
    text << file.rdbuf();
    auto given = json::parse(text.str());
    for (int i = 2; i < argc; ++i) {
        const std::string setting(argv[i]);
        const auto equals = setting.find('=');
        if (equals == std::string::npos) continue;
        given.as_object()[setting.substr(0, equals)] = std::strtod(setting.c_str() + equals + 1, nullptr);
    }
    const auto parameters = gpu::parse_replay(given);
    if (!parameters) {
        std::cerr << parameters.error().message << "\n";
        return 1;
    }
    for (const auto discipline :
         {gpu::Discipline::hold_until_logout, gpu::Discipline::first_come, gpu::Discipline::berth}) {
        std::cout << json::serialize(row_of(*parameters, discipline)) << std::endl;
    }
    return 0;
}

}  // namespace
}  // namespace berth

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: berth_bench_fairness PARAMETERS.json [KEY=NUMBER…]\n";
        return 2;
    }
    return berth::run(argc, argv);
}
