// Distinct types for the names and numbers that must not be swapped. Values are compared as they stand;
// normalising and validating a name from outside is identity/names.hpp's work.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace berth {

template <class Tag>
struct NamedString {
    std::string value;

    NamedString() = default;
    explicit NamedString(std::string text) : value(std::move(text)) {}
    auto operator<=>(const NamedString&) const = default;
    bool empty() const { return value.empty(); }
};

using UserName = NamedString<struct UserNameTag>;  // normalised: lower case, no '/'
using GroupName = NamedString<struct GroupNameTag>;
using ServiceName = NamedString<struct ServiceNameTag>;
using ServerName = NamedString<struct ServerNameTag>;  // "" is the default server
using DeviceUuid = NamedString<struct DeviceUuidTag>;  // "GPU-…" or "MIG-…", as NVML spells it

// One notebook server: whose, and which of theirs. The key of everything that belongs to a server.
struct ServerKey {
    UserName user;
    ServerName server;
    auto operator<=>(const ServerKey&) const = default;
    std::string full_name() const { return user.value + "/" + server.value; }  // hub-protocol §9.1
};

enum class UserId : std::int64_t {};
enum class GroupId : std::int64_t {};
enum class RoleId : std::int64_t {};
enum class ServiceId : std::int64_t {};
enum class TokenId : std::int64_t {};
enum class ServerId : std::int64_t {};
enum class LeaseId : std::int64_t {};

template <class Enum>
constexpr std::int64_t number_of(Enum id) {
    return static_cast<std::int64_t>(id);
}

}  // namespace berth

template <class Tag>
struct std::hash<berth::NamedString<Tag>> {
    std::size_t operator()(const berth::NamedString<Tag>& name) const noexcept {
        return std::hash<std::string>{}(name.value);
    }
};

template <>
struct std::hash<berth::ServerKey> {
    std::size_t operator()(const berth::ServerKey& key) const noexcept {
        return std::hash<std::string>{}(key.user.value) * 31 + std::hash<std::string>{}(key.server.value);
    }
};
