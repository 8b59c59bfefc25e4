#include "config/impl/values.hpp"

#include "base/files.hpp"
#include "base/text.hpp"

#include <charconv>
#include <cmath>

namespace berth::config {

std::string kind_of(const YAML::Node& node) {
    if (node.IsSequence()) return "a list";
    if (node.IsMap()) return "a section";
    if (node.IsScalar()) return "the text '" + ellipsized(node.Scalar(), 40) + "'";
    return "nothing";
}

namespace {

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string spaced(std::int64_t number) {
    return std::to_string(number);
}

// Plain YAML scalars become what YAML 1.2's core schema says they are; quoted ones are texts.
json::value json_of_scalar(const YAML::Node& node, const std::string& text) {
    if (node.Tag() == "!") return json::value(text);
    if (text == "null" || text == "~" || text.empty()) return nullptr;
    if (text == "true" || text == "false") return text == "true";
    if (auto integer = number_in<std::int64_t>(text)) return *integer;
    if (auto real = number_in<double>(text); real && std::isfinite(*real)) return *real;
    return json::value(text);
}

class ValueReader {
public:
    ValueReader(ReadContext& context, const std::string& key, const Doc& doc, const YAML::Node& node)
        : context_(context), key_(key), doc_(doc), node_(node) {}

    void operator()(std::string* out) {
        auto text = scalar("text");
        if (!text) return;
        if (!doc_.allowed.empty() && !is_allowed(*text)) return;
        *out = std::move(*text);
    }
    void operator()(bool* out) {
        auto text = scalar("true or false");
        if (!text) return;
        const std::string word = to_lower_ascii(*text);
        if (word != "true" && word != "false" && word != "yes" && word != "no" && word != "on" &&
            word != "off") {
            return wrong_type("true or false");
        }
        *out = word == "true" || word == "yes" || word == "on";
    }
    void operator()(std::uint16_t* out) { read_integer(out); }
    void operator()(std::uint32_t* out) { read_integer(out); }
    void operator()(std::optional<std::uint32_t>* out) { read_optional(out); }
    void operator()(seconds* out) {
        auto text = scalar("a duration like '30s', '5m' or '2h'");
        if (!text) return;
        auto span = parse_duration(*text);
        if (!span) return wrong_type("a duration like '30s', '5m' or '2h'");
        const auto whole = std::chrono::duration_cast<seconds>(*span);
        if (!in_range(whole.count(), "s")) return;
        *out = whole;
    }
    void operator()(std::optional<seconds>* out) { read_optional(out); }
    void operator()(std::optional<double>* out) {
        auto text = scalar("a number");
        if (!text) return;
        auto number = number_in<double>(*text);
        if (!number || !std::isfinite(*number)) return wrong_type("a number");
        if (*number <= 0) return out_of_range("'" + key_ + "' must be greater than 0, not " + *text);
        *out = number;
    }
    void operator()(std::optional<Bytes>* out) {
        auto text = scalar("a size like '512M' or '8G'");
        if (!text) return;
        auto bytes = parse_bytes(*text);
        if (!bytes) return wrong_type("a size like '512M' or '8G'");
        *out = *bytes;
    }
    void operator()(Secret* out) {
        if (node_.IsMap()) return read_secret_file(out);
        if (auto text = scalar("text, or {file: PATH}")) *out = Secret(std::move(*text));
    }
    void operator()(std::vector<std::string>* out) {
        if (!node_.IsSequence()) return wrong_type("a list of texts");
        if (auto texts = texts_of(node_, key_)) *out = std::move(*texts);
    }
    void operator()(std::map<std::string, std::string>* out) {
        if (!node_.IsMap()) return wrong_type("a map of names and texts");
        std::map<std::string, std::string> map;
        for (const auto& entry : node_) {
            const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
            if (!entry.second.IsScalar() || name.empty()) {
                context_.report(
                    ConfigErrc::wrong_type,
                    entry.second.Mark(),
                    key_ + "." + name,
                    "'" + key_ + "." + name + "' must be text, not " + kind_of(entry.second));
                continue;
            }
            map[name] = context_.expand(entry.second, key_ + "." + name);
        }
        *out = std::move(map);
    }
    void operator()(std::map<std::string, std::vector<std::string>>* out) {
        if (!node_.IsMap()) return wrong_type("a map of names and lists");
        std::map<std::string, std::vector<std::string>> map;
        for (const auto& entry : node_) {
            const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
            if (!entry.second.IsSequence() || name.empty()) {
                context_.report(
                    ConfigErrc::wrong_type,
                    entry.second.Mark(),
                    key_ + "." + name,
                    "'" + key_ + "." + name + "' must be a list of texts, not " + kind_of(entry.second));
                continue;
            }
            if (auto texts = texts_of(entry.second, key_ + "." + name)) map[name] = std::move(*texts);
        }
        *out = std::move(map);
    }
    void operator()(json::object* out) {
        if (!node_.IsMap()) return wrong_type("an object");
        *out = json_of(node_).as_object();
    }

private:
    void wrong_type(std::string_view wanted) {
        const bool secret = doc_.key == "password" || doc_.key == "api_token";
        context_.report(
            ConfigErrc::wrong_type,
            node_.Mark(),
            key_,
            "'" + key_ + "' must be " + std::string(wanted) + (secret ? "" : ", not " + kind_of(node_)));
    }
    void out_of_range(std::string message) {
        context_.report(ConfigErrc::out_of_range, node_.Mark(), key_, std::move(message));
    }
    // The value's text with variables filled in; nothing after a report.
    std::optional<std::string> scalar(std::string_view wanted) {
        if (!node_.IsScalar()) {
            wrong_type(wanted);
            return std::nullopt;
        }
        const auto before = context_.problems.size();
        std::string text = context_.expand(node_, key_);
        if (context_.problems.size() != before) return std::nullopt;
        return text;
    }
    bool is_allowed(const std::string& text) {
        std::string names;
        std::vector<std::string> known;
        for (auto name : doc_.allowed) {
            if (name == text) return true;
            names += (names.empty() ? "" : ", ") + std::string(name);
            known.emplace_back(name);
        }
        std::string message =
            "'" + key_ + "' must be one of " + names + ", not '" + ellipsized(text, 40) + "'";
        if (auto near = nearest_name(text, known)) message += "; did you mean '" + *near + "'?";
        out_of_range(std::move(message));
        return false;
    }
    bool in_range(std::int64_t number, std::string_view unit) {
        if (number >= doc_.min && number <= doc_.max) return true;
        const bool open = doc_.max == std::numeric_limits<std::int64_t>::max();
        std::string limits =
            open ? "at least " + spaced(doc_.min) : "from " + spaced(doc_.min) + " to " + spaced(doc_.max);
        if (!unit.empty()) limits += " seconds";
        out_of_range("'" + key_ + "' must be " + limits + ", not " + spaced(number));
        return false;
    }
    // Nothing is set when the value is refused; the report says why.
    template <class Value>
    void read_optional(std::optional<Value>* out) {
        Value value{};
        const auto before = context_.problems.size();
        (*this)(&value);
        if (context_.problems.size() == before) *out = value;
    }
    template <class Integer>
    void read_integer(Integer* out) {
        auto text = scalar("a whole number");
        if (!text) return;
        auto number = number_in<std::int64_t>(*text);
        if (!number) return wrong_type("a whole number");
        if (!in_range(*number, "")) return;
        if (*number < 0 || static_cast<std::uint64_t>(*number) > std::numeric_limits<Integer>::max()) {
            return out_of_range("'" + key_ + "' is too large: " + *text);
        }
        *out = static_cast<Integer>(*number);
    }
    std::optional<std::vector<std::string>> texts_of(const YAML::Node& list, const std::string& key) {
        std::vector<std::string> texts;
        for (const auto& item : list) {
            const std::string place = key + "[" + std::to_string(texts.size()) + "]";
            context_.places[place] = item.Mark();
            if (!item.IsScalar()) {
                context_.report(
                    ConfigErrc::wrong_type,
                    item.Mark(),
                    place,
                    "'" + place + "' must be text, not " + kind_of(item));
                return std::nullopt;
            }
            texts.push_back(context_.expand(item, place));
        }
        return texts;
    }
    void read_secret_file(Secret* out) {
        const YAML::Node path = node_["file"];
        if (!path || !path.IsScalar() || node_.size() != 1) return wrong_type("text, or {file: PATH}");
        const std::string name = context_.expand(path, key_);
        auto text = contents_of(name);
        if (!text) {
            context_.report(
                ConfigErrc::unreadable,
                path.Mark(),
                key_,
                "cannot read '" + name + "'; check that it exists and that the hub's user may read it");
            return;
        }
        while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
            text->pop_back();
        *out = Secret(*std::move(text));
    }
    json::value json_of(const YAML::Node& node) {
        if (node.IsSequence()) {
            json::array array;
            for (const auto& item : node)
                array.push_back(json_of(item));
            return array;
        }
        if (node.IsMap()) {
            json::object object;
            for (const auto& entry : node)
                object[entry.first.Scalar()] = json_of(entry.second);
            return object;
        }
        return node.IsScalar() ? json_of_scalar(node, context_.expand(node, key_)) : json::value(nullptr);
    }

    ReadContext& context_;
    const std::string& key_;
    const Doc& doc_;
    const YAML::Node& node_;
};

}  // namespace

void read_value(
    ReadContext& context,
    const std::string& key,
    const Doc& doc,
    const YAML::Node& node,
    const Field& field) {
    std::visit(ValueReader(context, key, doc, node), field);
}

}  // namespace berth::config
