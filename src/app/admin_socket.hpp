// Who may use the administration socket, as configured.
#pragma once

#include "base/result.hpp"
#include "config/options.hpp"
#include "gate/local_peer.hpp"

namespace berth::app {

enum class AdminSocketErrc { no_such_group = 1, not_guarded };
std::string_view text_of(AdminSocketErrc reason);
BERTH_ERROR_CATEGORY(AdminSocketErrc, "admin_socket")

// Asks the system for the group; blocking, at start. Error: no_such_group.
Result<gate::LocalAdministrators> local_administrators(const config::AdminOptions& options);

// 0600, or 0660 for the group. The kernel's word about who connects is checked beside that, for every
// request. Error: not_guarded.
Result<void> guard_socket(const std::string& path, const gate::LocalAdministrators& allowed);

}  // namespace berth::app
