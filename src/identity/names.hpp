// Names from outside: normalised first, then checked, before anything is compared with them (hub-protocol
// §2.4, §20 "normalise first"). Pure.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace berth::identity {

enum class NameErrc {
    empty = 1,
    too_long,
    not_utf8,
    slash,
    surrounding_space,
    control_character,
    dots_only,        // ".", "..", "%2e", "%2E%2e": they reach other paths
    percent_escape,   // services only
    bad_server_name,  // 400 "Invalid server_name: …"
    bad_display_name,
};
std::string_view text_of(NameErrc reason);
BERTH_ERROR_CATEGORY(NameErrc, "name")

// Lower case (Unicode, as Python's str.lower for single characters), then checked. At most 255 bytes.
Result<UserName> user_name(std::string_view text);
Result<GroupName> group_name(std::string_view text);  // as it stands: group names keep their case
Result<ServiceName> service_name(std::string_view text);
// For a new named server: 1 to 30 of [a-z0-9-], a letter first, alphanumeric last, no "--". "" is the default
// server.
Result<ServerName> server_name(std::string_view text);
// 1 to 255 characters; letters, marks, numbers, punctuation, symbols, single inner spaces.
Result<std::string> display_name(std::string_view text);
// A server name made of a display name; "" when nothing of it can be kept.
std::string slug_of(std::string_view display_name);
// Lower-cases UTF-8; bytes that are no UTF-8 stay.
std::string to_lower(std::string_view text);
// The name as a log may carry it: at most 32 characters (CVE-2026-54338).
std::string for_log(std::string_view name);

}  // namespace berth::identity
