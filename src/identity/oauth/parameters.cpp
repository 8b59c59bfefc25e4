#include "identity/oauth/parameters.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace berth::identity {

std::optional<std::string> value_of(const Parameters& parameters, std::string_view name) {
    for (const auto& each : parameters)
        if (each.name == name) return each.value;
    return std::nullopt;
}

std::optional<std::string> duplicate_among(
    const Parameters& parameters, std::initializer_list<std::string_view> names) {
    for (const auto name : names) {
        const auto count = std::count_if(
            parameters.begin(), parameters.end(), [&](const Parameter& each) { return each.name == name; });
        if (count > 1) return std::string(name);
    }
    return std::nullopt;
}

std::string joined(const std::vector<std::string>& scopes) {
    std::string text;
    for (const auto& each : scopes)
        text += text.empty() ? each : " " + each;
    return text;
}

std::string audit_target(const Directory& directory, const store::OAuthClientRow& client) {
    if (const auto server = directory.server_of(client)) return server->full_name();
    if (const auto service = directory.service_of(client)) return "service:" + service->value;
    return client.identifier;
}

std::string with_query(const std::string& uri, const Parameters& added) {
    std::string result = uri;
    char separator = uri.find('?') == std::string::npos ? '?' : '&';
    for (const auto& each : added) {
        result += separator;
        result += each.name + "=" + url_escape_query(each.value);
        separator = '&';
    }
    return result;
}

}  // namespace berth::identity
