// JSON columns. What a person edited by hand and broke reads as the fallback instead of stopping the hub.
#pragma once

#include "base/json.hpp"

#include <string>
#include <vector>

namespace berth::store {

std::string text_of_list(const std::vector<std::string>& list);
std::vector<std::string> list_of_text(const std::string& text);
json::value value_of_text(const std::string& text, json::value fallback);

}  // namespace berth::store
