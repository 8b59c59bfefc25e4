// Starting and stopping servers (hub-protocol §9.2, §9.3).
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/server_body.hpp"

namespace berth::api {
namespace {

// How long a request waits before it answers "still at it" (JupyterHub's slow_spawn_timeout,
// slow_stop_timeout).
constexpr std::chrono::seconds kSlow{10};

Result<void> check_user(const Dependencies& hub, const UserName& name) {
    if (hub.directory.find(name) == nullptr) return not_found();
    return {};
}

}  // namespace

awaitable<Result<http::Response>> post_server(Dependencies& hub, Call& call) {
    BERTH_CO_CHECK(check_user(hub, call.user()));
    BERTH_CO_TRY(auto body, server_body(call.request));
    const ServerKey key = call.server();
    hub::StartRequest request;
    request.user_options = std::move(body.user_options);
    request.display_name = std::move(body.display_name);
    BERTH_CO_CHECK(co_await hub.start.begin(*call.permit, key, std::move(request)));
    auto ready = co_await hub.start.wait(key, Deadline::in(kSlow));
    if (!ready) co_return Error{ApiErrc::start_failed, ready.error().message, ready.error().detail};
    co_return http::Response::empty(*ready ? 201 : 202);
}

awaitable<Result<http::Response>> delete_server(Dependencies& hub, Call& call) {
    BERTH_CO_CHECK(check_user(hub, call.user()));
    const ServerKey key = call.server();
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_TRY(const auto remove_asked, flag_member(body, "remove"));
    const bool remove = remove_asked.value_or(false);
    const auto server = hub.servers.find(key);
    if (!server && !key.server.empty()) {
        co_return not_found(call.user().value + " has no server named '" + key.server.value + "'");
    }
    if (remove && key.server.empty()) co_return bad_request("Cannot delete the default server");
    if (server) BERTH_CO_CHECK(co_await hub.stop.begin(*call.permit, key));
    const bool gone = !server || co_await hub.stop.wait(key, Deadline::in(kSlow));
    if (!gone && remove) hub.records.remove_when_stopped(*call.permit, key);
    if (!gone) co_return http::Response::empty(202);
    if (remove) BERTH_CO_CHECK(co_await hub.records.remove(*call.permit, key));
    co_return http::Response::empty(204);
}

}  // namespace berth::api
