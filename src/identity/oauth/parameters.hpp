// Looking into form and query fields, where one given twice is an attack or a mistake.
#pragma once

#include "identity/oauth/provider.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace berth::identity {

// The first of that name. An empty value counts as given.
std::optional<std::string> value_of(const Parameters& parameters, std::string_view name);
// The first name given more than once, or nothing.
std::optional<std::string> duplicate_among(
    const Parameters& parameters, std::initializer_list<std::string_view> names);
std::string joined(const std::vector<std::string>& scopes);  // by spaces
// As an audit record names it: "ann/gpu" is the server of that client, "service:ops" the service, else its
// id.
std::string audit_target(const Directory& directory, const store::OAuthClientRow& client);
// `uri` with these added to its query, escaped.
std::string with_query(const std::string& uri, const Parameters& added);

}  // namespace berth::identity
