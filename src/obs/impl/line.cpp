#include "obs/impl/line.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <array>
#include <charconv>

namespace berth::log {
namespace {

constexpr std::size_t kMaxValueBytes = 1024;

std::string_view name_of(Level level) {
    constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
    return kNames[static_cast<std::size_t>(level)];
}

std::string number_text(double number) {
    std::array<char, 32> buffer{};
    const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    return {buffer.data(), end};
}

// Valid UTF-8 of bounded length: what no terminal and no JSON parser trips over.
std::string clean(const std::string& text) {
    std::string cut = ellipsized(text, kMaxValueBytes);
    if (is_valid_utf8(cut)) return cut;
    for (char& c : cut) {
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return cut;
}

// Quoted when it holds anything that a reader could take for another field or line.
std::string quoted_if_needed(const std::string& text) {
    const bool plain =
        !text.empty() && text.find_first_of(" \"=\\") == std::string::npos &&
        std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (plain) return text;
    std::string out = json::serialize(json::value(text));
    for (std::size_t at = 0; (at = out.find('\x7f', at)) != std::string::npos;)
        out.replace(at, 1, "\\u007f");
    return out;
}

struct AsText {
    std::string operator()(const std::string& text) const { return quoted_if_needed(clean(text)); }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return number_text(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
};

struct AsJson {
    std::string operator()(const std::string& text) const {
        return json::serialize(json::value(clean(text)));
    }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const {
        const std::string text = number_text(number);
        return text.find_first_of("ni") == std::string::npos ? text : "null";  // JSON has no nan and no inf
    }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
};

}  // namespace

std::string text_line(Level level, std::string_view event, Fields fields, Timestamp at) {
    std::string line = format_rfc3339(at);
    line.append(" ").append(name_of(level)).append(" ").append(event);
    for (const auto& field : fields) {
        line.append(" ").append(field.name).append("=").append(std::visit(AsText{}, field.value.get()));
    }
    return line;
}

std::string json_line(Level level, std::string_view event, Fields fields, Timestamp at) {
    std::string line = "{\"time\":\"";
    line.append(format_rfc3339(at))
        .append("\",\"level\":\"")
        .append(name_of(level))
        .append("\",\"event\":\"");
    line.append(event).append("\"");
    for (const auto& field : fields) {
        line.append(",\"").append(field.name).append("\":").append(std::visit(AsJson{}, field.value.get()));
    }
    return line.append("}");
}

}  // namespace berth::log
