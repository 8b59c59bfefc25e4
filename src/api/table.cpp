#include "api/table.hpp"

#include "api/handlers.hpp"

namespace berth::api {
namespace {

using enum http::Method;
using Scopes = std::array<std::string_view, 6>;

constexpr auto kApi = gate::Surface::api;
constexpr auto kPage = gate::Surface::page;
constexpr auto kServerUrl = gate::Surface::server_url;
constexpr auto kChecked = Xsrf::checked;
constexpr auto kByHandler = Xsrf::handler_decides;

// A row of the API that needs one of `scopes` for what its path names.
constexpr Row api(
    http::Method method,
    std::string_view pattern,
    Handler handler,
    On on,
    Scopes scopes,
    std::string_view reference) {
    return {method, pattern, handler, Check::scopes, scopes, on, kApi, kChecked, {}, reference};
}
constexpr Row listing(
    http::Method method,
    std::string_view pattern,
    Handler handler,
    Scopes scopes,
    std::string_view reference) {
    return {method, pattern, handler, Check::listing, scopes, On::nothing, kApi, kChecked, {}, reference};
}
constexpr Row open(
    http::Method method,
    std::string_view pattern,
    Handler handler,
    gate::Surface surface,
    std::string_view why,
    std::string_view reference) {
    return {method, pattern, handler, Check::open, {}, On::nothing, surface, kByHandler, why, reference};
}
constexpr Row page(
    http::Method method, std::string_view pattern, Handler handler, std::string_view reference) {
    return {method, pattern, handler, Check::signed_in, {}, On::nothing, kPage, kChecked, {}, reference};
}
// The handler checks; the note says what and why it must.
constexpr Row own(
    http::Method method,
    std::string_view pattern,
    Handler handler,
    gate::Surface surface,
    Xsrf xsrf,
    std::string_view note,
    std::string_view reference) {
    return {method, pattern, handler, Check::handler, {}, On::nothing, surface, xsrf, note, reference};
}

constexpr Scopes kReadUser{
    "read:users",
    "read:users:name",
    "read:servers",
    "read:users:groups",
    "read:users:activity",
    "read:roles:users"};
constexpr Scopes kReadGroup{"read:groups", "read:groups:name", "read:roles:groups"};
constexpr Scopes kReadService{"read:services", "read:services:name", "read:roles:services"};
constexpr std::string_view kAtStart =
    "every notebook server and client asks for the version first, without credentials";
constexpr std::string_view kProbe = "probes have no credentials, and it says nothing";
constexpr std::string_view kMetrics = "read:metrics, unless the configuration opens it";
constexpr std::string_view kSpawnPage =
    "servers on the server named, which may be the visitor's own by default";
constexpr std::string_view kServerUrlNote =
    "access:servers on whichever of the user's servers the path means";
constexpr std::string_view kAuthorizeNote = "signed in, then access to the OAuth client's server or service";

const Row kTable[] = {
    // info
    open(get, "api", get_version, kApi, kAtStart, "§11.1"),
    open(get, "api/", get_version, kApi, kAtStart, "§11.1"),
    open(get, "health", get_health, kApi, kProbe, "§2.2"),
    open(get, "api/health", get_health, kApi, kProbe, "§2.2"),
    own(get, "metrics", get_metrics, kApi, kChecked, kMetrics, "§18"),
    own(get, "api/metrics", get_metrics, kApi, kChecked, kMetrics, "§18"),
    api(get, "api/info", get_info, On::nothing, {"read:hub"}, "§11.1"),
    api(post, "api/shutdown", post_shutdown, On::nothing, {"shutdown"}, "§11.1"),
    api(get, "api/berth/info", get_berth_info, On::nothing, {"read:hub"}, "berth"),
    // users
    {get, "api/user", get_self, Check::signed_in, {}, On::nothing, kApi, kChecked, {}, "§4"},
    listing(get, "api/users", get_users, {"list:users"}, "§11.1"),
    api(post, "api/users", post_users, On::nothing, {"admin:users"}, "§11.1"),
    api(get, "api/users/{user}", get_user, On::user, kReadUser, "§11.1"),
    api(post, "api/users/{user}", post_user, On::user, {"admin:users"}, "§11.1"),
    api(patch, "api/users/{user}", patch_user, On::user, {"admin:users"}, "§9.7"),
    api(del, "api/users/{user}", delete_user, On::user, {"delete:users"}, "§9.7"),
    api(post, "api/users/{user}/activity", post_activity, On::user, {"users:activity"}, "§5"),
    api(post, "api/berth/users/{user}/invite", post_invite, On::user, {"admin:users"}, "berth"),
    // tokens
    api(get, "api/users/{user}/tokens", get_tokens, On::user, {"read:tokens"}, "§7.3"),
    own(post,
        "api/users/{user}/tokens",
        post_token,
        kApi,
        kByHandler,
        "tokens, or the name and password in the body",
        "§7.2"),
    api(get, "api/users/{user}/tokens/{id}", get_token, On::user, {"read:tokens"}, "§7.3"),
    api(del, "api/users/{user}/tokens/{id}", delete_token, On::user, {"tokens"}, "§7.3"),
    // browser sessions
    api(get, "api/berth/users/{user}/sessions", get_sessions, On::user, {"read:tokens"}, "berth"),
    api(del, "api/berth/users/{user}/sessions", delete_sessions, On::user, {"tokens"}, "berth"),
    api(del, "api/berth/users/{user}/sessions/{id}", delete_session, On::user, {"tokens"}, "berth"),
    // notices
    api(get, "api/berth/users/{user}/notices", get_notices, On::user, {"read:tokens"}, "berth"),
    api(patch, "api/berth/users/{user}/notices", patch_notices, On::user, {"tokens"}, "berth"),
    api(post, "api/berth/users/{user}/notices/browsers", post_browser, On::user, {"tokens"}, "berth"),
    api(del, "api/berth/users/{user}/notices/browsers", delete_browser, On::user, {"tokens"}, "berth"),
    open(
        get, "notices_worker.js", get_notices_worker, kPage, "browsers fetch it anew by themselves", "berth"),
    // servers: the default one, then any
    api(get, "api/users/{user}/server", get_server, On::server, {"read:servers"}, "§9.8"),
    api(post, "api/users/{user}/server", post_server, On::server, {"start:servers"}, "§9.2"),
    api(put, "api/users/{user}/server", put_server, On::server, {"start:servers"}, "§9.8"),
    api(patch, "api/users/{user}/server", patch_server, On::server, {"start:servers"}, "§9.8"),
    api(del, "api/users/{user}/server", delete_server, On::server, {"delete:servers"}, "§9.3"),
    api(get, "api/users/{user}/server/progress", get_progress, On::server, {"read:servers"}, "§9.5"),
    api(get, "api/users/{user}/servers/{server?}", get_server, On::server, {"read:servers"}, "§9.8"),
    api(post, "api/users/{user}/servers/{server?}", post_server, On::server, {"start:servers"}, "§9.2"),
    api(put, "api/users/{user}/servers/{server?}", put_server, On::server, {"start:servers"}, "§9.8"),
    api(patch, "api/users/{user}/servers/{server?}", patch_server, On::server, {"start:servers"}, "§9.8"),
    api(del, "api/users/{user}/servers/{server?}", delete_server, On::server, {"delete:servers"}, "§9.3"),
    api(get,
        "api/users/{user}/servers/{server?}/progress",
        get_progress,
        On::server,
        {"read:servers"},
        "§9.5"),
    // their end, when one is near: whoever works in a server is to see it, and may hold it off
    api(get,
        "api/berth/users/{user}/servers/{server?}/ending",
        get_ending,
        On::server,
        {"read:servers", "access:servers"},
        "berth"),
    api(post,
        "api/berth/users/{user}/servers/{server?}/keep_running",
        post_keep_running,
        On::server,
        {"delete:servers", "access:servers"},
        "berth"),
    api(get, "api/berth/users/{user}/log", get_server_log, On::server, {"access:servers"}, "berth"),
    api(get, "api/berth/users/{user}/log/{server}", get_server_log, On::server, {"access:servers"}, "berth"),
    // groups
    listing(get, "api/groups", get_groups, {"list:groups"}, "§11.1"),
    api(post, "api/groups", post_groups, On::nothing, {"admin:groups"}, "§11.1"),
    api(get, "api/groups/{group}", get_group, On::group, kReadGroup, "§11.1"),
    api(post, "api/groups/{group}", post_group, On::group, {"admin:groups"}, "§11.1"),
    api(del, "api/groups/{group}", delete_group, On::group, {"delete:groups"}, "§11.1"),
    api(post, "api/groups/{group}/users", post_group_users, On::group, {"groups"}, "§11.1"),
    api(del, "api/groups/{group}/users", delete_group_users, On::group, {"groups"}, "§11.1"),
    api(put, "api/groups/{group}/properties", put_group_properties, On::group, {"groups"}, "§11.1"),
    // services
    listing(get, "api/services", get_services, {"list:services"}, "§11.1"),
    api(get, "api/services/{service}", get_service, On::service, kReadService, "§11.1"),
    api(post, "api/services/{service}", post_service, On::service, {"admin:services"}, "§11.1"),
    api(del, "api/services/{service}", delete_service, On::service, {"admin:services"}, "§11.1"),
    // proxy
    api(get, "api/proxy", get_proxy, On::nothing, {"proxy"}, "§11.1"),
    api(post, "api/proxy", post_proxy, On::nothing, {"proxy"}, "§11.1"),
    // OAuth
    own(get, "api/oauth2/authorize", get_authorize, kPage, kChecked, kAuthorizeNote, "§3.2"),
    own(post, "api/oauth2/authorize", post_authorize, kPage, kChecked, kAuthorizeNote, "§3.2"),
    open(
        post,
        "api/oauth2/token",
        post_oauth_token,
        kApi,
        "the client's secret and the code are the credentials",
        "§3.4"),
    // GPUs
    listing(get, "api/berth/gpus", get_gpus, {"gpu:read"}, "berth"),
    listing(get, "api/berth/gpu/queue", get_gpu_queue, {"gpu:read"}, "berth"),
    listing(get, "api/berth/gpu/history", get_gpu_history, {"gpu:read"}, "berth"),
    own(post,
        "api/berth/gpu/simulate",
        post_gpu_simulate,
        kApi,
        kChecked,
        "start:servers on the server that the body names",
        "berth"),
    listing(get, "api/berth/gpu/usage", get_gpu_usage, {"gpu:read"}, "berth"),
    listing(get, "api/berth/gpu/events", get_gpu_events, {"gpu:read"}, "berth"),
    api(put, "api/berth/gpus/{uuid}/cordon", put_cordon, On::nothing, {"gpu:admin"}, "berth"),
    api(del, "api/berth/gpus/{uuid}/cordon", delete_cordon, On::nothing, {"gpu:admin"}, "berth"),
    api(post, "api/berth/gpus/{uuid}/drain", post_drain, On::nothing, {"gpu:admin"}, "berth"),
    api(del, "api/berth/gpus/{uuid}/drain", delete_drain, On::nothing, {"gpu:admin"}, "berth"),
    listing(get, "api/berth/gpu/reservations", get_reservations, {"gpu:read"}, "berth"),
    listing(get, "api/berth/gpu/reservations.ics", get_reservations_calendar, {"gpu:read"}, "berth"),
    api(post, "api/berth/gpu/reservations", post_reservation, On::nothing, {"gpu:admin"}, "berth"),
    api(del, "api/berth/gpu/reservations/{id}", delete_reservation, On::nothing, {"gpu:admin"}, "berth"),
    api(del, "api/berth/leases/{id}", delete_lease, On::nothing, {"gpu:admin"}, "berth"),
    own(post,
        "api/berth/leases/{id}/extend",
        post_extend_lease,
        kApi,
        kChecked,
        "gpu:admin, or delete:servers or access:servers on the server that holds the lease",
        "berth"),
    api(get, "api/berth/audit", get_audit, On::nothing, {"read:audit"}, "berth"),
    own(get,
        "api/berth/profiles",
        get_profiles,
        kApi,
        kChecked,
        "start:servers on the server that the query names",
        "berth"),
    api(get, "api/berth/allocator/gpus", get_allocator_gpus, On::nothing, {"gpu:lease"}, "berth"),
    api(post, "api/berth/allocator/gpus", post_allocator_gpus, On::nothing, {"gpu:lease"}, "berth"),
    api(post, "api/berth/allocator/request", post_allocator_request, On::nothing, {"gpu:lease"}, "berth"),
    api(post, "api/berth/allocator/release", post_allocator_release, On::nothing, {"gpu:lease"}, "berth"),
    // signing in and out
    open(get, "login", get_login, kPage, "who is not signed in must be able to", "§6.6"),
    open(
        post,
        "login",
        post_login,
        kPage,
        "the form's name and password are the credentials; XSRF is checked inside",
        "§6.6"),
    open(get, "logout", get_logout, kPage, "without a valid cookie it ends nothing", "§6.7"),
    open(get, "invite", get_invite, kPage, "the one-time link is the credential", "berth"),
    open(
        post,
        "invite",
        post_invite_page,
        kPage,
        "the one-time link is the credential; XSRF is checked inside",
        "berth"),
    // pages
    open(get, "", get_root, kPage, "it only redirects", "§2.6"),
    page(get, "home", get_home, "§2.2"),
    page(get, "token", get_token_page, "§2.2"),
    page(get, "gpus", get_gpus_page, "berth"),
    {get, "admin", get_admin, Check::scopes, {"admin-ui"}, On::nothing, kPage, kChecked, {}, "§2.2"},
    own(get, "spawn", get_spawn, kPage, kChecked, kSpawnPage, "§9.6"),
    own(post, "spawn", post_spawn, kPage, kChecked, kSpawnPage, "§9.6"),
    own(get, "spawn/{user}", get_spawn, kPage, kChecked, kSpawnPage, "§9.6"),
    own(post, "spawn/{user}", post_spawn, kPage, kChecked, kSpawnPage, "§9.6"),
    own(get, "spawn/{user}/{server}", get_spawn, kPage, kChecked, kSpawnPage, "§9.6"),
    own(post, "spawn/{user}/{server}", post_spawn, kPage, kChecked, kSpawnPage, "§9.6"),
    own(get, "spawn-pending/{user}", get_spawn_pending, kPage, kChecked, kSpawnPage, "§9.6"),
    own(get, "spawn-pending/{user}/{server}", get_spawn_pending, kPage, kChecked, kSpawnPage, "§9.6"),
    page(get, "user-redirect/{rest...}", get_user_redirect, "§2.7"),
    open(get, "error/{code}", get_error_page, kPage, "the proxy fetches it for its visitors", "§14.6"),
    {post,
     "security/csp-report",
     post_csp_report,
     Check::signed_in,
     {},
     On::nothing,
     kPage,
     kByHandler,
     {},
     "§2.2"},
    open(get, "static/{rest...}", get_static, kPage, "the sign-in page needs them", "§2.2"),
    open(get, "logo", get_logo, kPage, "notebooks show it", "§2.2"),
    // servers that do not run
    own(get, "user/{user}/{rest...}", get_server_url, kServerUrl, kChecked, kServerUrlNote, "§2.5"),
    own(get, "user/{user}", get_server_url, kServerUrl, kChecked, kServerUrlNote, "§2.5"),
    own(post, "user/{user}/{rest...}", change_server_url, kServerUrl, kChecked, kServerUrlNote, "§2.5"),
    own(patch, "user/{user}/{rest...}", change_server_url, kServerUrl, kChecked, kServerUrlNote, "§2.5"),
    own(del, "user/{user}/{rest...}", change_server_url, kServerUrl, kChecked, kServerUrlNote, "§2.5"),
};

}  // namespace

std::span<const Row> table() {
    return kTable;
}

std::vector<std::string_view> scopes_of(const Row& row) {
    std::vector<std::string_view> scopes;
    for (const auto scope : row.scopes) {
        if (!scope.empty()) scopes.push_back(scope);
    }
    return scopes;
}

access::Target target_of(const Row& row, const Call& call) {
    switch (row.on) {
        case On::nothing:
            return access::Target::none();
        case On::user:
            return access::Target::of(call.user());
        case On::server:
            return access::Target::of(call.server());
        case On::group:
            return access::Target::of(GroupName(call.arguments.at(0)));
        case On::service:
            return access::Target::of(ServiceName(call.arguments.at(0)));
    }
    return access::Target::none();
}

}  // namespace berth::api
