// Who had how much of the GPUs, and how much of that was used (gpu.md E.10, E.11). Who does not manage GPUs
// gets the sums over what they may see: their own, and what was held in open pools.
#include "api/gpu_usage.hpp"

#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/gpu_names.hpp"
#include "api/handlers.hpp"
#include "base/text.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::api {
namespace {

constexpr std::string_view kBy[] = {"user", "group", "project", "model", "profile", "gpu", "device", "week"};

Result<UsageKeys> by_query(const Call& call) {
    UsageKeys by;
    const std::string text = call.request.query_value("by").value_or("user");
    for (std::size_t at = 0; at <= text.size();) {
        const auto comma = std::min(text.find(',', at), text.size());
        by.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    const bool known = std::ranges::all_of(
        by, [](const auto& key) { return std::find(std::begin(kBy), std::end(kBy), key) != std::end(kBy); });
    if (!known || by.size() > 2 || (by.size() == 2 && by[0] == by[1]))
        return bad_request(
            "'by' must be user, group, project, model, profile, gpu (or device) or week, or two of them like "
            "user,week");
    return by;
}

Result<Timestamp> time_query(const Call& call, std::string_view name, Timestamp otherwise) {
    const auto text = call.request.query_value(name);
    if (!text || text->empty()) return otherwise;
    return time_of(*text, name);
}

std::string purpose_of(const store::UsageIntervalRow& interval, std::string_view by) {
    if (!interval.user) return "(allocator)";
    if (by == "profile" && !interval.profile) return "(removed)";
    const auto& name = by == "profile" ? *interval.profile : interval.project;
    return name.empty() ? "(none)" : name;
}

std::string name_of(const Dependencies& hub, const store::UsageIntervalRow& interval, std::string_view by) {
    if (by == "week") return {};
    if (by == "gpu" || by == "device") return interval.device.value;
    if (by == "model") {
        const auto* device = hub.inventory.find(interval.device);
        return device == nullptr || device->row.name.empty() ? interval.device.value : device->row.name;
    }
    if (by == "profile" || by == "project") return purpose_of(interval, by);
    const auto* user = interval.user ? hub.directory.find(*interval.user) : nullptr;
    if (user == nullptr) return interval.user ? "(removed)" : "(allocator)";
    if (by == "user") return user->name().value;
    const auto groups = hub.directory.group_names_of(*user);
    return groups.empty() ? "(none)" : groups.front();
}

awaitable<Result<std::vector<store::UsageIntervalRow>>> read_usage(Dependencies& hub, Timestamp from) {
    std::vector<store::UsageIntervalRow> intervals;
    store::Change query = [&intervals, from](store::Transaction& t) {
        intervals = store::usage_intervals(t, from);
    };
    BERTH_CO_CHECK(co_await hub.store.read(std::move(query)));
    co_return intervals;
}

http::Response text_of(std::string_view type, std::string body) {
    http::Response response;
    response.headers.add("Content-Type", std::string(type));
    response.body = std::move(body);
    return response;
}

json::array rows_of(const std::map<UsageKeys, Usage>& sums, const UsageKeys& by) {
    json::array rows;
    for (const auto& [keys, usage] : sums) {
        json::object row;
        for (std::size_t at = 0; at < by.size(); ++at)
            row[by[at]] = keys[at];
        row["gpu_hours"] = usage.held_hours;
        row["used_hours"] = usage.used_hours;
        row["wasted_hours"] = usage.wasted_hours();
        row["energy_kwh"] = usage.kilowatt_hours();
        row["intervals"] = usage.intervals;
        rows.emplace_back(std::move(row));
    }
    return rows;
}

}  // namespace

// ?by=user&from=…&to=…&format=json|csv|openmetrics: the last 30 days when nothing is said.
awaitable<Result<http::Response>> get_gpu_usage(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto by, by_query(call));
    BERTH_CO_TRY(const auto to, time_query(call, "to", call.now));
    BERTH_CO_TRY(const auto from, time_query(call, "from", to - std::chrono::hours(24 * 30)));
    const auto format = call.request.query_value("format").value_or("json");
    if (format != "json" && format != "csv" && format != "openmetrics")
        co_return bad_request("'format' must be json, csv or openmetrics");
    BERTH_CO_TRY(auto intervals, co_await read_usage(hub, from));
    std::erase_if(intervals, [&](const auto& interval) {
        return !sees_holder(hub, call.who(), interval.device, interval.user);
    });
    const UsageQuestion question{by, from, std::min(to, call.now)};
    const UsageNames names = [&](const store::UsageIntervalRow& interval) {
        UsageKeys keys;
        for (const auto& key : by)
            keys.push_back(name_of(hub, interval, key));
        return keys;
    };
    const auto sums = sum_usage(intervals, question, names);
    if (format == "csv") co_return text_of("text/csv; charset=utf-8", usage_csv(sums, by));
    if (format == "openmetrics")
        co_return text_of(
            "application/openmetrics-text; version=1.0.0; charset=utf-8", usage_openmetrics(sums, by));
    json::object answer{{"by", call.request.query_value("by").value_or("user")}};
    answer["from"] = format_rfc3339(from);
    answer["to"] = format_rfc3339(to);
    answer["rows"] = rows_of(sums, by);
    co_return http::Response::json(200, answer);
}

}  // namespace berth::api
