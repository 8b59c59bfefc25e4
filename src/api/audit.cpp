#include "api/audit.hpp"

#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "base/text.hpp"
#include "store/queries.hpp"

namespace berth::api {
namespace {

constexpr std::int64_t kMostRecords = 10'000;

json::object model_of(const store::AuditRow& row) {
    return {
        {"at", format_rfc3339(row.at)},
        {"principal", row.principal},
        {"action", row.action},
        {"target", row.target},
        {"permit", row.permit},
        {"result", row.result},
        {"detail", row.detail}};
}

Result<store::AuditFilter> filter_of(const http::Request& request) {
    store::AuditFilter filter;
    filter.principal = request.query_value("principal").value_or("");
    filter.target = request.query_value("target").value_or("");
    filter.action = request.query_value("action").value_or("");
    if (const auto since = request.query_value("since"); since && !since->empty()) {
        BERTH_TRY(filter.since, time_of(*since, "since"));
    }
    if (const auto limit = request.query_value("limit")) {
        const auto number = integer_of(*limit);
        if (!number || *number < 1 || *number > kMostRecords)
            return bad_request("'limit' must be a number from 1 to " + std::to_string(kMostRecords));
        filter.limit = *number;
    }
    return filter;
}

}  // namespace

store::AuditRow audit_of(const Call& call, std::string action, std::string target, std::string detail) {
    store::AuditRow audit;
    audit.at = call.now;
    audit.principal = call.permit ? call.permit->principal_name() : call.who().audit_name();
    audit.action = std::move(action);
    audit.target = std::move(target);
    audit.permit = call.permit ? call.permit->scope() : "";
    audit.result = "ok";
    audit.detail = std::move(detail);
    return audit;
}

awaitable<Result<http::Response>> get_audit(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto filter, filter_of(call.request));
    const auto rows = std::make_shared<std::vector<store::AuditRow>>();
    store::Change query = [rows, filter](store::Transaction& tx) {
        *rows = store::audit_records(tx, filter);
    };
    BERTH_CO_CHECK(co_await hub.store.read(std::move(query)));
    json::array models;
    for (const auto& row : *rows)
        models.emplace_back(model_of(row));
    co_return http::Response::json(200, models);
}

}  // namespace berth::api
