// Every reason for which a change of users, groups, tokens, services, sessions or invitations is refused.
#pragma once

#include "base/result.hpp"

#include <string_view>

namespace berth::identity {

enum class DirectoryErrc {
    no_such_user = 1,
    user_exists,
    no_such_group,
    group_exists,
    no_such_service,
    service_exists,
    service_from_config,  // 405: only the configuration changes it
    no_such_token,
    no_such_role,
    role_is_fixed,  // of the configuration: the role has no groups and services of its own
    unknown_scope,
    scopes_not_held,  // "Not assigning requested scopes …"
    token_malformed,  // a supplied token: 8 to 64 printable characters without spaces
    token_exists,
    invite_invalid,  // unknown, used or expired
    password_too_short,
    password_too_long,
    changed_meanwhile,  // somebody else changed the same thing first; try again
};
std::string_view text_of(DirectoryErrc reason);
BERTH_ERROR_CATEGORY(DirectoryErrc, "directory")

}  // namespace berth::identity
