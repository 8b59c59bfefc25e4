#include "hub/errors.hpp"

namespace berth::hub {

std::string_view text_of(HubErrc reason) {
    switch (reason) {
        case HubErrc::no_such_user:
            return "no such user";
        case HubErrc::no_such_server:
            return "no such server";
        case HubErrc::already_running:
            return "already running";
        case HubErrc::stop_pending:
            return "stop pending";
        case HubErrc::start_pending:
            return "start pending";
        case HubErrc::server_name_invalid:
            return "server name invalid";
        case HubErrc::server_exists:
            return "server exists";
        case HubErrc::named_servers_off:
            return "named servers are off";
        case HubErrc::server_limit:
            return "named server limit";
        case HubErrc::active_server_limit:
            return "active server limit";
        case HubErrc::no_such_profile:
            return "no such profile";
        case HubErrc::profile_not_allowed:
            return "profile not allowed";
        case HubErrc::options_invalid:
            return "options invalid";
        case HubErrc::image_not_allowed:
            return "image not allowed";
        case HubErrc::too_many_gpus:
            return "more GPUs than the profile allows";
        case HubErrc::project_not_allowed:
            return "project not allowed";
        case HubErrc::start_cancelled:
            return "start cancelled";
        case HubErrc::not_ready_in_time:
            return "not ready in time";
        case HubErrc::not_stopped:
            return "server is not stopped";
        case HubErrc::no_end_near:
            return "no end is near";
        case HubErrc::no_more_extensions:
            return "no more extensions";
        case HubErrc::proxy_unreachable:
            return "proxy unreachable";
        case HubErrc::no_such_reservation:
            return "no such reservation";
        case HubErrc::gpu_rule:
            return "a rule on GPUs";
        case HubErrc::gpu_wait_over:
            return "waited too long for a GPU";
        case HubErrc::closed:
            return "closed for starts";
    }
    return "unknown";
}

}  // namespace berth::hub
