// Every handler of the table, by the file that holds it.
#pragma once

#include "api/call.hpp"

namespace berth::api {

#define BERTH_HANDLER(name) awaitable<Result<http::Response>> name(Dependencies& hub, Call& call)

// info.cpp
BERTH_HANDLER(get_version);
BERTH_HANDLER(get_health);
BERTH_HANDLER(get_info);
BERTH_HANDLER(get_metrics);
BERTH_HANDLER(get_berth_info);
BERTH_HANDLER(post_shutdown);
// users.cpp
BERTH_HANDLER(get_self);
BERTH_HANDLER(get_user);
BERTH_HANDLER(post_user);
BERTH_HANDLER(patch_user);
BERTH_HANDLER(delete_user);
BERTH_HANDLER(post_invite);
// user_list.cpp
BERTH_HANDLER(get_users);
BERTH_HANDLER(post_users);
// user_tokens.cpp
BERTH_HANDLER(get_tokens);
BERTH_HANDLER(post_token);
BERTH_HANDLER(get_token);
BERTH_HANDLER(delete_token);
BERTH_HANDLER(get_sessions);
BERTH_HANDLER(delete_session);
BERTH_HANDLER(delete_sessions);
// activity.cpp
BERTH_HANDLER(post_activity);
// servers.cpp
BERTH_HANDLER(post_server);
BERTH_HANDLER(delete_server);
// endings.cpp
BERTH_HANDLER(get_ending);
BERTH_HANDLER(post_keep_running);
BERTH_HANDLER(post_extend_lease);
// notices.cpp
BERTH_HANDLER(get_notices);
BERTH_HANDLER(patch_notices);
BERTH_HANDLER(post_browser);
BERTH_HANDLER(delete_browser);
BERTH_HANDLER(get_notices_worker);
// server_records.cpp
BERTH_HANDLER(get_server);
BERTH_HANDLER(put_server);
BERTH_HANDLER(patch_server);
// server_log.cpp
BERTH_HANDLER(get_server_log);
// audit.cpp
BERTH_HANDLER(get_audit);
// progress.cpp
BERTH_HANDLER(get_progress);
// groups.cpp
BERTH_HANDLER(get_groups);
BERTH_HANDLER(post_groups);
BERTH_HANDLER(get_group);
BERTH_HANDLER(post_group);
BERTH_HANDLER(delete_group);
BERTH_HANDLER(post_group_users);
BERTH_HANDLER(delete_group_users);
BERTH_HANDLER(put_group_properties);
// services.cpp
BERTH_HANDLER(get_services);
BERTH_HANDLER(get_service);
BERTH_HANDLER(post_service);
BERTH_HANDLER(delete_service);
// proxy_routes.cpp
BERTH_HANDLER(get_proxy);
BERTH_HANDLER(post_proxy);
// oauth.cpp
BERTH_HANDLER(get_authorize);
BERTH_HANDLER(post_authorize);
BERTH_HANDLER(post_oauth_token);
// gpu_queue.cpp
BERTH_HANDLER(get_gpu_queue);
BERTH_HANDLER(post_gpu_simulate);
// gpu_history.cpp
BERTH_HANDLER(get_gpu_history);
// gpu_usage.cpp
BERTH_HANDLER(get_gpu_usage);
// gpu_events.cpp
BERTH_HANDLER(get_gpu_events);
// gpus.cpp
BERTH_HANDLER(get_gpus);
BERTH_HANDLER(put_cordon);
BERTH_HANDLER(delete_cordon);
BERTH_HANDLER(delete_lease);
// gpu_reservations.cpp
BERTH_HANDLER(get_reservations);
BERTH_HANDLER(get_reservations_calendar);
BERTH_HANDLER(post_reservation);
BERTH_HANDLER(delete_reservation);
BERTH_HANDLER(post_drain);
BERTH_HANDLER(delete_drain);
// profiles.cpp
BERTH_HANDLER(get_profiles);
// allocator.cpp
BERTH_HANDLER(get_allocator_gpus);
BERTH_HANDLER(post_allocator_gpus);
BERTH_HANDLER(post_allocator_request);
BERTH_HANDLER(post_allocator_release);
// sign_in_pages.cpp
BERTH_HANDLER(get_login);
BERTH_HANDLER(post_login);
BERTH_HANDLER(get_logout);
// invite_pages.cpp
BERTH_HANDLER(get_invite);
BERTH_HANDLER(post_invite_page);
// spawn_pages.cpp
BERTH_HANDLER(get_spawn);
BERTH_HANDLER(post_spawn);
BERTH_HANDLER(get_spawn_pending);
// server_url.cpp
BERTH_HANDLER(get_server_url);
BERTH_HANDLER(change_server_url);
// plain_pages.cpp
BERTH_HANDLER(get_root);
BERTH_HANDLER(get_home);
BERTH_HANDLER(get_token_page);
BERTH_HANDLER(get_gpus_page);
BERTH_HANDLER(get_admin);
BERTH_HANDLER(get_error_page);
BERTH_HANDLER(get_user_redirect);
BERTH_HANDLER(post_csp_report);
BERTH_HANDLER(get_static);
BERTH_HANDLER(get_logo);

#undef BERTH_HANDLER

}  // namespace berth::api
