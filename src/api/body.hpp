// JSON bodies and query parameters as JupyterHub's API reads them (hub-protocol §11).
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::api {

// Nothing for an empty body; else the document. Error: 400 "Invalid JSON in body of request".
Result<std::optional<json::value>> json_body(const http::Request& request);
// The body as an object; an empty body and `null` are {}. Error: 400.
Result<json::object> object_body(const http::Request& request);
// Error: 400 "Invalid JSON keys: …" when a key is none of `known`.
Result<void> only_keys(const json::object& object, std::span<const std::string_view> known);

// A member of that type or nothing when it is absent; 400 when it has another type.
Result<std::optional<std::string>> text_member(const json::object& object, std::string_view key);
Result<std::optional<bool>> flag_member(const json::object& object, std::string_view key);
Result<std::optional<std::int64_t>> integer_member(const json::object& object, std::string_view key);
Result<std::optional<std::vector<std::string>>> texts_member(
    const json::object& object, std::string_view key);

// A whole number, or nothing.
std::optional<std::int64_t> integer_of(std::string_view text);
// `name` is what the refusal calls it.
Result<Timestamp> time_of(std::string_view text, std::string_view name);
// True when the parameter is there and neither "0" nor "false" (also without a value).
bool query_flag(const http::Request& request, std::string_view name);

}  // namespace berth::api
