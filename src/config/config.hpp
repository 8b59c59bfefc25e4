// Reads, checks, documents and prints the configuration (style §6). Start-up is strict: any problem is
// returned with file, line, column and what to do; nothing is started on a configuration that has one.
#pragma once

#include "base/result.hpp"
#include "config/options.hpp"

#include <functional>
#include <string>
#include <vector>

namespace berth::config {

enum class ConfigErrc {
    unreadable = 1,
    malformed,
    unknown_key,
    wrong_type,
    out_of_range,
    missing_variable,
    contradictory
};
std::string_view text_of(ConfigErrc reason);
BERTH_ERROR_CATEGORY(ConfigErrc, "config")

struct Problem {
    ConfigErrc reason{};
    std::string file;
    int line = 0;  // 1-based; 0: no place in the file
    int column = 0;
    std::string key;      // "docker.image"
    std::string message;  // what is wrong and what to do: "unknown key 'spawnr'; did you mean 'spawner'?"

    std::string to_string() const;  // "berth.yaml:3:1: …"
};

struct Loaded {
    Options options;
    std::vector<Problem> problems;  // empty: usable
};

// `${NAME}` and `${NAME:-default}` in values are filled from `environment` (then from .env beside the file).
using Environment = std::function<std::optional<std::string>(const std::string&)>;
Loaded load_file(const std::string& path, const Environment& environment);
Loaded load_text(const std::string& text, const std::string& file_name, const Environment& environment);
Loaded load_defaults();
// Cross-field rules: an unknown spawner, two profiles of one name, docker.image missing, service tokens too
// short …
std::vector<Problem> validate(const Options& options);

std::string show(const Options& options);  // YAML of what is in force, secrets as "[secret]"
std::string defaults();                    // commented YAML of every key with its default and sentence
std::string documentation();               // Markdown reference (docs/configuration.md)

}  // namespace berth::config
