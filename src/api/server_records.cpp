// Server records: read, make, change (hub-protocol §9.8).
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "api/server_body.hpp"

namespace berth::api {
namespace {

http::Response server_response(
    const Dependencies& hub, const Call& call, unsigned status, const hub::Server& server) {
    std::string body;
    body.reserve(512);
    UserView(hub, call.who()).append_server(body, server);
    return json_text(status, std::move(body));
}

Result<void> check_user(const Dependencies& hub, const UserName& name) {
    if (hub.directory.find(name) == nullptr) return not_found();
    return {};
}

}  // namespace

awaitable<Result<http::Response>> get_server(Dependencies& hub, Call& call) {
    BERTH_CO_CHECK(check_user(hub, call.user()));
    const auto server = hub.servers.find(call.server());
    if (!server) co_return not_found(call.user().value + " has no such server");
    co_return server_response(hub, call, 200, *server);
}

awaitable<Result<http::Response>> put_server(Dependencies& hub, Call& call) {
    BERTH_CO_CHECK(check_user(hub, call.user()));
    BERTH_CO_TRY(auto body, server_body(call.request));
    hub::RecordChange with;
    with.user_options = std::move(body.user_options);
    if (body.display_name && !body.display_name->empty()) with.display_name = std::move(body.display_name);
    BERTH_CO_TRY(
        const auto server, co_await hub.records.create(*call.permit, call.server(), std::move(with)));
    co_return server_response(hub, call, 201, *server);
}

awaitable<Result<http::Response>> patch_server(Dependencies& hub, Call& call) {
    constexpr std::string_view kKeys[] = {"name", "display_name", "user_options"};
    BERTH_CO_CHECK(check_user(hub, call.user()));
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    if (body.empty()) co_return bad_request("Give at least one of name, display_name, user_options");
    BERTH_CO_TRY(const auto name, text_member(body, "name"));
    hub::RecordChange to;
    if (name) to.name = ServerName(*name);
    BERTH_CO_TRY(to.display_name, text_member(body, "display_name"));
    if (const auto* options = body.if_contains("user_options"); options != nullptr) {
        if (!options->is_object()) co_return bad_request("user_options must be a JSON object");
        to.user_options = *options;
    }
    BERTH_CO_TRY(const auto server, co_await hub.records.change(*call.permit, call.server(), std::move(to)));
    co_return server_response(hub, call, 200, *server);
}

}  // namespace berth::api
