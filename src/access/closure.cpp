#include "access/impl/closure.hpp"

#include "access/scopes.hpp"

#include <algorithm>
#include <unordered_map>

namespace berth::access {

namespace {

using Closures = std::unordered_map<std::string_view, std::vector<std::string_view>>;

void collect(std::string_view base, const Closures& direct, std::vector<std::string_view>& into) {
    if (std::find(into.begin(), into.end(), base) != into.end()) return;
    into.push_back(base);
    for (const auto implied : direct.at(base))
        collect(implied, direct, into);
}

Closures make_closures() {
    Closures direct;
    for (const auto& row : scope_table())
        direct.emplace(row.name, row.implies);
    Closures closures;
    for (const auto& row : scope_table()) {
        std::vector<std::string_view> all;
        collect(row.name, direct, all);
        std::sort(all.begin(), all.end());
        closures.emplace(row.name, std::move(all));
    }
    return closures;
}

bool is_custom_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == ':';
}

}  // namespace

const std::vector<std::string_view>* closure_of(std::string_view base) {
    static const Closures closures = make_closures();
    const auto found = closures.find(base);
    return found == closures.end() ? nullptr : &found->second;
}

// custom:[a-z0-9][a-z0-9_\-\*:]+[a-z0-9_\*], at most 255 characters.
bool is_custom(std::string_view base) {
    constexpr std::string_view kPrefix = "custom:";
    if (!base.starts_with(kPrefix) || base.size() > 255) return false;
    const auto name = base.substr(kPrefix.size());
    if (name.size() < 3 || !std::all_of(name.begin(), name.end(), is_custom_character)) return false;
    const char first = name.front();
    const char last = name.back();
    return first != '_' && first != '-' && first != '*' && first != ':' && last != '-' && last != ':';
}

const std::vector<std::string_view>& self_scopes() {
    static const std::vector<std::string_view> scopes{
        "read:users",
        "read:users:name",
        "read:users:groups",
        "read:users:activity",
        "users:activity",
        "servers",
        "read:servers",
        "start:servers",
        "delete:servers",
        "tokens",
        "read:tokens",
        "access:servers",
        "users:shares",
        "read:users:shares",
        "read:shares",
        "gpu:read"};
    return scopes;
}

}  // namespace berth::access
