// The machine's accounts, for local.system_users. Only a person's own account runs notebooks: the system's
// accounts own services, and one without a login shell was closed by the administrator. Blocking (NSS may ask
// a directory).
#pragma once

#include "spawn/spawner.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::spawn::local {

struct SystemUser {
    std::string name;
    std::string home;
    std::string shell;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
};
// Errors: no_such_user, not_permitted (no account of a person, see refusal_of).
Result<SystemUser> find_system_user(const std::string& name);

// Why no notebook runs under this account; empty when one may. Pure.
std::optional<Error> refusal_of(const SystemUser& user, uid_t uid_min);
// UID_MIN of the text of /etc/login.defs, the first uid that belongs to a person; 1000 when it says none.
// Pure.
uid_t uid_min_in(std::string_view login_defs);

}  // namespace berth::spawn::local
