// Why a use case refuses. The person's news and the administrator's are different enumerators;
// api/error_response.cpp maps each to its status, and every message says what to do.
#pragma once

#include "base/result.hpp"

#include <string_view>

namespace berth::hub {

enum class HubErrc {
    no_such_user = 1,
    no_such_server,
    already_running,
    stop_pending,
    start_pending,
    server_name_invalid,
    server_exists,
    named_servers_off,
    server_limit,         // named servers a user may have
    active_server_limit,  // servers that may run at once, over all users
    no_such_profile,
    profile_not_allowed,
    options_invalid,
    image_not_allowed,
    too_many_gpus,        // more than the profile lets one server have
    project_not_allowed,  // or there is none of that name
    start_cancelled,
    not_ready_in_time,   // the process runs but never answered
    not_stopped,         // asked to change a record whose server runs
    no_end_near,         // asked to keep a server running that nobody is about to stop
    no_more_extensions,  // kept running as often as it may be
    proxy_unreachable,
    no_such_reservation,
    gpu_rule,       // a quota or the devices there are: the message names the rule
    gpu_wait_over,  // waited for a GPU for as long as a start may
    closed,         // the hub is not ready for starts yet, or is stopping
};
std::string_view text_of(HubErrc reason);
BERTH_ERROR_CATEGORY(HubErrc, "hub")

}  // namespace berth::hub
