// Reads a YAML mapping into the described options, collecting every problem with its place instead of
// stopping at the first. Private to config/.
#pragma once

#include "config/config.hpp"
#include "config/describe.hpp"

#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <vector>

namespace berth::config {

// What one load collects. `places` remembers where each key stands, so that cross-field problems can point
// there.
struct ReadContext {
    std::string file;
    const Environment& environment;
    std::vector<Problem> problems;
    std::map<std::string, YAML::Mark> places;

    void report(ConfigErrc reason, const YAML::Mark& at, std::string key, std::string message);
    // `text` with ${NAME} and ${NAME:-default} filled in; "$${" stands for "${". A missing variable is
    // reported.
    std::string expand(const YAML::Node& scalar, const std::string& key);
};

class Reader final : public Visitor {
public:
    // `map` must be a mapping; `prefix` is "" or "docker." and the like.
    Reader(ReadContext& context, const YAML::Node& map, std::string prefix);

    void field(const Doc& doc, const Field& field) override;
    void section(const Doc& doc, const std::function<void(Visitor&)>& describe_fields) override;
    void list(const Doc& doc, Items& items) override;
    // After the description has passed: reports the keys nobody asked for.
    void report_unknown();

private:
    // The value of a key that is there and not null; a null node otherwise. Marks the key as known.
    YAML::Node take(const Doc& doc);
    void read_item(const Doc& doc, Items& items, const YAML::Node& node);

    ReadContext& context_;
    YAML::Node map_;
    std::string prefix_;
    std::vector<std::string> known_;
};

}  // namespace berth::config
