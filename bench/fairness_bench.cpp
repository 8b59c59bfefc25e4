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
    for (const auto discipline : gpu::kDisciplines) {
        const auto outcome = gpu::replay(*parameters, discipline);
        std::cout << json::serialize(gpu::to_json(*parameters, discipline, outcome)) << std::endl;
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
