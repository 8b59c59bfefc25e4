// What the people of a server are told before the hub ends it, and how they hold that off.
#include "api/body.hpp"
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
    body += ",\"hint\":";
    append_json(body, server->hint);
    body += ",\"notice\":";
    const auto notice = hub::gpu_notice(*server, hub.inventory, &hub.drains);
    if (notice.empty())
        body += "null";
    else
        append_json(body, notice);
    body += ",\"ask_again_seconds\":" + std::to_string(pause_of(hub.culler.policy_of(*server))) + "}";
    co_return json_text(200, std::move(body));
}

awaitable<Result<http::Response>> post_keep_running(Dependencies& hub, Call& call) {
    if (!hub.servers.find(call.server())) co_return not_found();
    BERTH_CO_TRY(const auto until, co_await hub.culler.keep_running(*call.permit, call.server()));
    const auto span = std::chrono::ceil<std::chrono::seconds>(until - now_utc());
    co_return http::Response::json(
        200,
        json::object{
            {"kept_until", format_rfc3339(until)},
            {"message", "The server goes on for at least " + hub::in_words(span) + "."}});
}

// {"until": "2026-01-31T18:00:00Z"}, or nothing: for one more gpu.lease.length from now. The lease's own
// people may, and administrators.
awaitable<Result<http::Response>> post_extend_lease(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {"until"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto text, text_member(body, "until"));
    std::optional<Timestamp> until;
    if (text) {
        BERTH_CO_TRY(until, time_of(*text, "until"));
    }
    const auto missing = not_found("There is no such lease of a server.");
    const auto number = integer_of(call.arguments.at(0));
    const auto* lease = number ? hub.leases.find(static_cast<LeaseId>(*number)) : nullptr;
    const auto server = lease != nullptr && lease->server ? hub.servers.find(*lease->server) : nullptr;
    const access::AccessCheck access(hub.directory);
    auto permit = access.check(call.who(), {"gpu:admin"}, access::Target::none());
    if (!permit && !call.who().authenticated()) co_return permit.error();
    if (!permit && !server) co_return missing;
    if (!permit) {
        const auto target = access::Target::of(server->key);
        permit = access.check(call.who(), {"delete:servers", "access:servers"}, target);
    }
    if (!permit) co_return permit.error();
    if (!server) co_return missing;
    BERTH_CO_TRY(const auto end, co_await hub.culler.extend_lease(*permit, server->key, until));
    co_return http::Response::json(
        200,
        json::object{
            {"until", format_rfc3339(end)}, {"message", "Its GPUs stay until " + format_rfc3339(end) + "."}});
}

}  // namespace berth::api
