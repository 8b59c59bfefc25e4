#include "config/impl/reader.hpp"

#include "base/text.hpp"
#include "config/impl/values.hpp"

#include <algorithm>
#include <set>

namespace berth::config {

void ReadContext::report(ConfigErrc reason, const YAML::Mark& at, std::string key, std::string message) {
    problems.push_back({reason, file, at.line + 1, at.column + 1, std::move(key), std::move(message)});
}

std::string ReadContext::expand(const YAML::Node& scalar, const std::string& key) {
    const std::string& text = scalar.Scalar();
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (text.compare(i, 3, "$${") == 0) {
            out += "${";
            i += 3;
            continue;
        }
        const auto end = text.compare(i, 2, "${") == 0 ? text.find('}', i) : std::string::npos;
        if (end == std::string::npos) {
            out += text[i++];
            continue;
        }
        const std::string inside = text.substr(i + 2, end - i - 2);
        const auto colon = inside.find(":-");
        const std::string name = inside.substr(0, colon);
        auto value = environment(name);
        if (colon != std::string::npos && (!value || value->empty())) value = inside.substr(colon + 2);
        if (!value) {
            report(
                ConfigErrc::missing_variable,
                scalar.Mark(),
                key,
                "the environment variable '" + name +
                    "' is not set; set it, write it into .env beside this file, or give a default: ${" +
                    name + ":-value}");
        }
        out += value.value_or("");
        i = end + 1;
    }
    return out;
}

Reader::Reader(ReadContext& context, const YAML::Node& map, std::string prefix)
    : context_(context), map_(map), prefix_(std::move(prefix)) {
    std::set<std::string> seen;
    for (const auto& entry : map_) {
        if (!entry.first.IsScalar()) {
            context_.report(ConfigErrc::malformed, entry.first.Mark(), prefix_, "a key must be plain text");
            continue;
        }
        const std::string& key = entry.first.Scalar();
        context_.places[prefix_ + key] = entry.first.Mark();
        if (!seen.insert(key).second) {
            context_.report(
                ConfigErrc::contradictory,
                entry.first.Mark(),
                prefix_ + key,
                "the key '" + key + "' is given twice; keep one of them");
        }
    }
}

YAML::Node Reader::take(const Doc& doc) {
    known_.emplace_back(doc.key);
    for (const auto& entry : map_) {
        if (entry.first.IsScalar() && entry.first.Scalar() == doc.key) return entry.second;
    }
    return YAML::Node(YAML::NodeType::Null);
}

void Reader::field(const Doc& doc, const Field& field) {
    const YAML::Node node = take(doc);
    if (!node.IsNull()) read_value(context_, prefix_ + std::string(doc.key), doc, node, field);
}

void Reader::section(const Doc& doc, const std::function<void(Visitor&)>& describe_fields) {
    const YAML::Node node = take(doc);
    if (node.IsNull()) return;
    const std::string key = prefix_ + std::string(doc.key);
    if (!node.IsMap()) {
        context_.report(
            ConfigErrc::wrong_type,
            node.Mark(),
            key,
            "'" + key + "' must be a section with keys of its own, not " + kind_of(node));
        return;
    }
    Reader inner(context_, node, key + ".");
    describe_fields(inner);
    inner.report_unknown();
}

void Reader::list(const Doc& doc, Items& items) {
    const YAML::Node node = take(doc);
    if (node.IsNull()) return;
    const std::string key = prefix_ + std::string(doc.key);
    if (!node.IsSequence()) {
        context_.report(
            ConfigErrc::wrong_type, node.Mark(), key, "'" + key + "' must be a list, not " + kind_of(node));
        return;
    }
    items.clear();
    for (const auto& item : node)
        read_item(doc, items, item);
}

void Reader::read_item(const Doc& doc, Items& items, const YAML::Node& node) {
    const std::size_t index = items.size();
    const std::string key = prefix_ + std::string(doc.key) + "[" + std::to_string(index) + "]";
    context_.places[key] = node.Mark();
    items.add();
    if (node.IsMap()) {
        Reader inner(context_, node, key + ".");
        items.describe(index, inner);
        inner.report_unknown();
        return;
    }
    if (node.IsScalar() && items.set_from_text(index, context_.expand(node, key))) return;
    std::string message = "'" + key + "' must be a section with keys of its own";
    if (!items.short_form().empty()) message += " or a text like '" + std::string(items.short_form()) + "'";
    context_.report(ConfigErrc::wrong_type, node.Mark(), key, message + ", not " + kind_of(node));
}

void Reader::report_unknown() {
    for (const auto& entry : map_) {
        if (!entry.first.IsScalar()) continue;
        const std::string& key = entry.first.Scalar();
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
        std::string message = "unknown key '" + key + "'";
        if (auto near = nearest_name(key, known_)) {
            message += "; did you mean '" + *near + "'?";
        } else {
            message += prefix_.empty() ? "" : " in '" + prefix_.substr(0, prefix_.size() - 1) + "'";
            message += "; `berth config defaults` lists every key";
        }
        context_.report(ConfigErrc::unknown_key, entry.first.Mark(), prefix_ + key, message);
    }
}

}  // namespace berth::config
