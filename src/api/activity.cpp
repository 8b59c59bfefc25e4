// Servers report when somebody last worked (hub-protocol §5). A hot path: some servers post once a request.
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"

namespace berth::api {
namespace {

constexpr std::chrono::minutes kMaxSkew{59};

Result<Timestamp> timestamp_of(const json::value& value, Timestamp now) {
    const auto* text = value.if_string();
    const auto time = text == nullptr ? std::nullopt : parse_rfc3339(*text);
    if (!time) return bad_request("Not a valid timestamp: " + json::serialize(value).substr(0, 64));
    if (*time > now + kMaxSkew)
        return bad_request("Activity in the future is not allowed: " + format_rfc3339(*time));
    return *time;
}

Result<hub::ActivityReport> report_of(const json::object& body, Timestamp now) {
    hub::ActivityReport report;
    const auto* last = body.if_contains("last_activity");
    const auto* servers = body.if_contains("servers");
    if ((last == nullptr || last->is_null()) && (servers == nullptr || servers->is_null())) {
        return bad_request("body must contain at least one of `last_activity` or `servers`");
    }
    if (last != nullptr && !last->is_null()) {
        BERTH_TRY(report.user, timestamp_of(*last, now));
    }
    if (servers == nullptr || servers->is_null()) return report;
    if (!servers->is_object()) return bad_request("'servers' must be an object");
    for (const auto& [name, entry] : servers->get_object()) {
        const auto* object = entry.if_object();
        const auto* time = object == nullptr ? nullptr : object->if_contains("last_activity");
        if (time == nullptr) {
            return bad_request("'servers' must map names to objects with 'last_activity'");
        }
        BERTH_TRY(report.servers[ServerName(std::string(name))], timestamp_of(*time, now));
    }
    return report;
}

}  // namespace

awaitable<Result<http::Response>> post_activity(Dependencies& hub, Call& call) {
    if (hub.directory.find(call.user()) == nullptr) co_return not_found();
    BERTH_CO_TRY(const auto body, json_body(call.request));
    if (!body || !body->is_object()) co_return bad_request("body must be a JSON object");
    BERTH_CO_TRY(const auto report, report_of(body->get_object(), call.now));
    auto recorded = hub.activity.record(*call.permit, call.user(), report);
    if (!recorded && recorded.error().is(hub::HubErrc::no_such_server))
        co_return bad_request(recorded.error().message);
    BERTH_CO_CHECK(std::move(recorded));
    co_return http::Response::empty(200);
}

}  // namespace berth::api
