// Boost.JSON with the few accessors that every room would write again: typed look-ups that do not throw on
// input from outside, and the row mapping of Boost.Describe'd structs.
#pragma once

#include "base/units.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace berth {

namespace json = boost::json;

// Empty when `text` is no JSON document (RFC 8259), has bytes after it, is nested deeper than 64, or is not
// UTF-8.
std::optional<json::value> parse_json(std::string_view text);

// The member of that type, or nothing: for documents from outside.
std::optional<std::string> string_at(const json::object& object, std::string_view key);
std::optional<std::int64_t> int_at(const json::object& object, std::string_view key);
std::optional<double> number_at(const json::object& object, std::string_view key);
std::optional<bool> bool_at(const json::object& object, std::string_view key);
const json::object* object_at(const json::object& object, std::string_view key);
const json::array* array_at(const json::object& object, std::string_view key);

json::value or_null(const std::optional<Timestamp>& time);  // RFC 3339 text or null
json::value or_null(const std::optional<std::string>& text);

}  // namespace berth
