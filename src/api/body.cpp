#include "api/body.hpp"

#include "api/error_response.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::api {

Result<std::optional<json::value>> json_body(const http::Request& request) {
    if (trim(request.body).empty()) return std::optional<json::value>{};
    auto value = parse_json(request.body);
    if (!value) return bad_request("Invalid JSON in body of request");
    return value;
}

Result<json::object> object_body(const http::Request& request) {
    BERTH_TRY(auto body, json_body(request));
    if (!body || body->is_null()) return json::object{};
    auto* object = body->if_object();
    if (object == nullptr) return bad_request("The body must be a JSON object");
    return std::move(*object);
}

Result<void> only_keys(const json::object& object, std::span<const std::string_view> known) {
    std::string unknown;
    for (const auto& member : object) {
        if (std::find(known.begin(), known.end(), std::string_view(member.key())) != known.end()) continue;
        if (!unknown.empty()) unknown += ", ";
        unknown += ellipsized(member.key(), 64);
    }
    if (!unknown.empty()) return bad_request("Invalid JSON keys: " + unknown);
    return {};
}

namespace {

Error wrong_type(std::string_view key, std::string_view wanted) {
    std::string message("'");
    message.append(key).append("' must be ").append(wanted);
    return bad_request(std::move(message));
}

const json::value* present(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_null() ? nullptr : value;
}

}  // namespace

Result<std::optional<std::string>> text_member(const json::object& object, std::string_view key) {
    const auto* value = present(object, key);
    if (value == nullptr) return std::optional<std::string>{};
    if (!value->is_string()) return wrong_type(key, "a text");
    return std::optional<std::string>(std::string(value->get_string()));
}

Result<std::optional<bool>> flag_member(const json::object& object, std::string_view key) {
    const auto* value = present(object, key);
    if (value == nullptr) return std::optional<bool>{};
    if (!value->is_bool()) return wrong_type(key, "true or false");
    return std::optional<bool>(value->get_bool());
}

Result<std::optional<std::int64_t>> integer_member(const json::object& object, std::string_view key) {
    const auto* value = present(object, key);
    if (value == nullptr) return std::optional<std::int64_t>{};
    if (!value->is_int64()) return wrong_type(key, "an integer");
    return std::optional<std::int64_t>(value->get_int64());
}

Result<std::optional<std::vector<std::string>>> texts_member(
    const json::object& object, std::string_view key) {
    const auto* value = present(object, key);
    if (value == nullptr) return std::optional<std::vector<std::string>>{};
    if (!value->is_array()) return wrong_type(key, "a list of texts");
    std::vector<std::string> texts;
    for (const auto& item : value->get_array()) {
        if (!item.is_string()) return wrong_type(key, "a list of texts");
        texts.emplace_back(item.get_string());
    }
    return std::optional(std::move(texts));
}

bool query_flag(const http::Request& request, std::string_view name) {
    const auto value = request.query_value(name);
    return value && *value != "0" && !equals_ignoring_case(*value, "false");
}

std::optional<std::int64_t> integer_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

Result<Timestamp> time_of(std::string_view text, std::string_view name) {
    const auto time = parse_rfc3339(text);
    if (!time) return bad_request("'" + std::string(name) + "' must be a time like 2026-01-31T12:00:00Z");
    return *time;
}

}  // namespace berth::api
