// One YAML value into one option, by the option's type. Private to config/.
#pragma once

#include "config/impl/reader.hpp"

namespace berth::config {

// Reports wrong_type, out_of_range or missing_variable into the context; the option then keeps its value.
void read_value(
    ReadContext& context, const std::string& key, const Doc& doc, const YAML::Node& node, const Field& field);
std::string kind_of(const YAML::Node& node);  // "a list", "a section", "the text 'abc'"

}  // namespace berth::config
