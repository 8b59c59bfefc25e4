// Names at the backend, made of user and server names that may hold anything. Two different servers never get
// the same name, whatever they are called (CVE-2020-15110), and every name is one that Docker accepts. Pure.
#pragma once

#include "base/ids.hpp"

#include <string>
#include <string_view>

namespace berth::spawn {

inline constexpr std::string_view kDefaultNameTemplate = "berth-{username}--{servername}";
// As long as a DNS label may be; longer names are cut and end in "." and a digest.
inline constexpr std::size_t kLongestName = 63;

// Fills {username} and {servername} with container_escape()d names. For the default server "" the dashes
// before {servername} at the end go too: "berth-ann", "berth-ann--gpu". Where the template's own text cannot
// keep two servers apart, "." and a digest of the pair are added.
std::string object_name(std::string_view name_template, const ServerKey& key);

// A volume's name or a host path. Without {servername} it is one for all servers of the user; without
// {username} it is shared by all. In a path the rules hold for each component by itself; ".." never comes
// from a name.
std::string volume_source(std::string_view source_template, const ServerKey& key);

}  // namespace berth::spawn
