#include "config/config.hpp"

#include "base/files.hpp"
#include "base/text.hpp"
#include "config/describe.hpp"
#include "config/impl/reader.hpp"
#include "config/impl/values.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <tuple>

namespace berth::config {

std::string_view text_of(ConfigErrc reason) {
    switch (reason) {
        case ConfigErrc::unreadable:
            return "the file cannot be read";
        case ConfigErrc::malformed:
            return "the file is not YAML";
        case ConfigErrc::unknown_key:
            return "unknown key";
        case ConfigErrc::wrong_type:
            return "wrong type";
        case ConfigErrc::out_of_range:
            return "value out of range";
        case ConfigErrc::missing_variable:
            return "environment variable missing";
        case ConfigErrc::contradictory:
            return "contradictory options";
    }
    return "configuration";
}

std::string Problem::to_string() const {
    std::string place = file;
    if (line > 0) place.append(":").append(std::to_string(line)).append(":").append(std::to_string(column));
    return place.empty() ? message : place + ": " + message;
}

namespace {

// The place of a key, or of the nearest key around it that stands in the file.
void locate(Problem& problem, const std::map<std::string, YAML::Mark>& places) {
    std::string key = problem.key;
    while (!key.empty()) {
        if (auto found = places.find(key); found != places.end()) {
            problem.line = found->second.line + 1;
            problem.column = found->second.column + 1;
            return;
        }
        const auto cut = key.find_last_of(".[");
        key.resize(cut == std::string::npos ? 0 : cut);
    }
}

void read_document(const YAML::Node& root, ReadContext& context, Options& options) {
    if (root.IsNull()) return;  // an empty file: all defaults
    if (!root.IsMap()) {
        context.report(
            ConfigErrc::malformed,
            root.Mark(),
            "",
            "this is no configuration: expected 'key: value' lines, found " + kind_of(root));
        return;
    }
    Reader reader(context, root, "");
    describe(reader, options);
    reader.report_unknown();
}

// NAME=value lines; '#' starts a comment line; one pair of quotes around the value is dropped; "export " is
// skipped.
std::map<std::string, std::string> parse_dot_env(const std::string& text) {
    std::map<std::string, std::string> values;
    for (auto line : split(text, '\n')) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        line = trim(line);
        if (line.starts_with("export ")) line = trim(line.substr(7));
        const auto equals = line.find('=');
        if (line.empty() || line.front() == '#' || equals == std::string_view::npos) continue;
        auto value = trim(line.substr(equals + 1));
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
            value.back() == value.front()) {
            value = value.substr(1, value.size() - 2);
        }
        values[std::string(trim(line.substr(0, equals)))] = std::string(value);
    }
    return values;
}

}  // namespace

Loaded load_text(const std::string& text, const std::string& file_name, const Environment& environment) {
    Loaded loaded;
    ReadContext context{file_name, environment, {}, {}};
    try {
        const auto documents = YAML::LoadAll(text);
        if (documents.size() > 1) {
            context.report(
                ConfigErrc::malformed, documents[1].Mark(), "", "the file holds a second document; keep one");
        }
        if (!documents.empty()) read_document(documents[0], context, loaded.options);
    } catch (const YAML::Exception& failure) {
        context.report(
            ConfigErrc::malformed,
            failure.mark.is_null() ? YAML::Mark() : failure.mark,
            "",
            "this is not YAML: " + failure.msg + "; check indentation, quotes and brackets");
    }
    if (context.problems.empty()) {
        context.problems = validate(loaded.options);
        for (auto& problem : context.problems) {
            problem.file = file_name;
            locate(problem, context.places);
        }
    }
    std::sort(context.problems.begin(), context.problems.end(), [](const Problem& a, const Problem& b) {
        return std::tie(a.line, a.column, a.message) < std::tie(b.line, b.column, b.message);
    });
    loaded.problems = std::move(context.problems);
    return loaded;
}

Loaded load_file(const std::string& path, const Environment& environment) {
    auto text = contents_of(path);
    if (!text) {
        Loaded loaded;
        loaded.problems.push_back(
            {ConfigErrc::unreadable,
             path,
             0,
             0,
             "",
             std::string("cannot be read: ") + std::strerror(errno) +
                 "; check the path and its permissions"});
        return loaded;
    }
    const auto slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
    auto dot_env = std::make_shared<std::map<std::string, std::string>>();
    if (auto lines = contents_of(directory + ".env")) *dot_env = parse_dot_env(*lines);
    return load_text(
        *text, path, [environment, dot_env](const std::string& name) -> std::optional<std::string> {
            if (auto value = environment(name)) return value;
            auto found = dot_env->find(name);
            return found == dot_env->end() ? std::nullopt : std::optional(found->second);
        });
}

Loaded load_defaults() {
    Loaded loaded;
    loaded.problems = validate(loaded.options);
    return loaded;
}

}  // namespace berth::config
