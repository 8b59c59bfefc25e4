// JSON written straight into a string, for the answers that are asked for thousands of times a second. Pure.
#pragma once

#include "base/units.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::api {

void append_json(std::string& out, std::string_view text);  // quoted and escaped; `text` is UTF-8
void append_json(std::string& out, const std::optional<Timestamp>& time);  // RFC 3339 or null

// Writes the members of one object: `JsonObject o(out); o.text("name", n); o.end();`
class JsonObject {
public:
    explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
    void end() { out_ += '}'; }

    // Writes `"key":` and leaves the value to the caller. Keys are literals of ours.
    std::string& key(std::string_view name) {
        if (!first_) out_ += ',';
        first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
        return out_;
    }
    void text(std::string_view name, std::string_view value) { append_json(key(name), value); }
    void text_or_null(std::string_view name, std::string_view value) {
        if (value.empty())
            key(name) += "null";
        else
            append_json(key(name), value);
    }
    void flag(std::string_view name, bool value) { key(name) += value ? "true" : "false"; }
    void number(std::string_view name, std::int64_t value) { key(name) += std::to_string(value); }
    void time(std::string_view name, const std::optional<Timestamp>& value) { append_json(key(name), value); }
    void null(std::string_view name) { key(name) += "null"; }
    template <class List>
    void texts(std::string_view name, const List& values) {
        auto& out = key(name);
        out += '[';
        bool first = true;
        for (const auto& value : values) {
            if (!first) out += ',';
            first = false;
            append_json(out, value);
        }
        out += ']';
    }

private:
    std::string& out_;
    bool first_ = true;
};

}  // namespace berth::api
