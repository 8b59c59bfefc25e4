// What the people of a server are told before the hub ends it, and how they hold that off.
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"

#include <algorithm>

namespace berth::api {

namespace {

// Often enough to see a warning soon after it was given.
std::int64_t pause_of(const hub::CullPolicy& policy) {
    return std::clamp<std::int64_t>(policy.warning.count() / 5, 1, 60);
}

}  // namespace

// What is near (models.hpp), or null. JupyterLab asks for it.
awaitable<Result<http::Response>> get_ending(Dependencies& hub, Call& call) {
    const auto server = hub.servers.find(call.server());
    if (!server) co_return not_found();
    std::string body = "{\"ending\":";
    if (server->ending)
        append_ending(body, *server->ending);
    else
        body += "null";
    body += ",\"ask_again_seconds\":" + std::to_string(pause_of(hub.culler.policy_of(*server))) + "}";
    co_return json_text(200, std::move(body));
}

awaitable<Result<http::Response>> post_keep_running(Dependencies& hub, Call& call) {
    if (!hub.servers.find(call.server())) co_return not_found();
    BERTH_CO_TRY(const auto until, co_await hub.culler.keep_running(*call.permit, call.server()));
    const auto span = hub.culler.policy_of(*hub.servers.find(call.server())).extension;
    co_return http::Response::json(
        200,
        json::object{
            {"kept_until", format_rfc3339(until)},
            {"message", "The server goes on for at least " + hub::in_words(span) + "."}});
}

}  // namespace berth::api
