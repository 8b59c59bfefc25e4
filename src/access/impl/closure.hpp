// The scope table as a graph: what a base implies, itself included. Made once.
#pragma once

#include <string_view>
#include <vector>

namespace berth::access {

// Sorted; empty for an unknown base. `custom:…` implies itself.
const std::vector<std::string_view>* closure_of(std::string_view base);
bool is_custom(std::string_view base);
// What `self` stands for, before `!user={me}` (hub-protocol §10.3).
const std::vector<std::string_view>& self_scopes();

}  // namespace berth::access
