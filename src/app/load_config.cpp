#include "app/load_config.hpp"

#include "app/admin/exit_codes.hpp"

#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace berth::app {

config::Loaded load_config(const std::string& path) {
    const config::Environment environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    if (!path.empty()) return config::load_file(path, environment);
    std::error_code unreadable;
    if (std::filesystem::exists(kSystemConfig, unreadable))
        return config::load_file(kSystemConfig, environment);
    return config::load_defaults();
}

int report(const std::vector<config::Problem>& problems) {
    for (const auto& problem : problems)
        std::cerr << problem.to_string() << "\n";
    if (!problems.empty())
        std::cerr << "berth: nothing was started; see `berth config defaults` for every key.\n";
    return problems.empty() ? 0 : kBadConfiguration;
}

}  // namespace berth::app
