// The past of each GPU: what it was doing, how much it was used, and who held it, as far as the pool's
// privacy goes (gpu.md E.12).
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/gpu_names.hpp"
#include "api/handlers.hpp"
#include "store/queries.hpp"

#include <cmath>
#include <map>

namespace berth::api {
namespace {

constexpr std::int64_t kDay = 24;

Result<std::chrono::hours> hours_query(const Call& call) {
    const auto text = call.request.query_value("hours");
    if (!text || text->empty()) return std::chrono::hours(kDay);
    const auto hours = integer_of(*text);
    if (!hours || *hours < 1 || *hours > hub::GpuTimeline::kKept.count())
        return bad_request(
            "'hours' must be a number from 1 to " + std::to_string(hub::GpuTimeline::kKept.count()));
    return std::chrono::hours(*hours);
}

json::array spans_model(const std::vector<hub::UseSpan>& spans) {
    json::array model;
    for (const auto& span : spans) {
        json::object one{{"from", format_rfc3339(span.begin)}, {"to", format_rfc3339(span.end)}};
        one["state"] = hub::name_of(span.use);
        model.emplace_back(std::move(one));
    }
    return model;
}

json::object series_model(const std::vector<hub::UsePoint>& points) {
    json::array load;
    json::array memory;
    for (const auto& point : points) {
        load.emplace_back(
            point.utilisation ? json::value(std::round(*point.utilisation * 1000) / 1000)
                              : json::value(nullptr));
        memory.emplace_back(
            point.used_bytes ? json::value(static_cast<std::uint64_t>(*point.used_bytes))
                             : json::value(nullptr));
    }
    return {{"utilization", std::move(load)}, {"used_memory_bytes", std::move(memory)}};
}

awaitable<Result<std::map<std::string, json::array>>> holders_since(
    Dependencies& hub, Call& call, Timestamp from) {
    std::vector<store::UsageIntervalRow> intervals;
    store::Change query = [&intervals, from](store::Transaction& t) {
        intervals = store::usage_intervals(t, from);
    };
    BERTH_CO_CHECK(co_await hub.store.read(std::move(query)));
    std::map<std::string, json::array> by_device;
    for (const auto& interval : intervals) {
        const auto* user = interval.user ? hub.directory.find(*interval.user) : nullptr;
        const bool shown = user != nullptr && sees_holder(hub, call.who(), interval.device, interval.user);
        json::object span;
        span["from"] = format_rfc3339(std::max(interval.begin, from));
        span["to"] = or_null(interval.end);
        span["user"] = shown ? json::value(user->name().value) : json::value(nullptr);
        span["own"] = user != nullptr && call.who().is(user->name());
        by_device[interval.device.value].push_back(std::move(span));
    }
    co_return by_device;
}

}  // namespace

// ?hours=24: {"devices": {UUID: who held it}, "spans": {UUID: what it was doing}, "series": {UUID: means over
// "step_seconds" each, from "series_from" on}}.
awaitable<Result<http::Response>> get_gpu_history(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto hours, hours_query(call));
    const auto from = call.now - hours;
    BERTH_CO_TRY(auto holders, co_await holders_since(hub, call, from));
    const auto& timeline = hub.board.history.timeline();
    json::object devices;
    for (auto& [uuid, spans] : holders)
        devices[uuid] = std::move(spans);
    json::object spans;
    json::object series;
    for (const auto& device : hub.inventory.devices()) {
        const auto& uuid = device.row.uuid;
        spans[uuid.value] = spans_model(timeline.spans(uuid, from, call.now));
        series[uuid.value] = series_model(timeline.points(uuid, from, call.now));
    }
    json::object answer{{"from", format_rfc3339(from)}, {"to", format_rfc3339(call.now)}};
    answer["step_seconds"] = std::chrono::seconds(hub::GpuTimeline::kStep).count();
    answer["series_from"] = format_rfc3339(hub::GpuTimeline::step_of(from));
    answer["devices"] = std::move(devices);
    answer["spans"] = std::move(spans);
    answer["series"] = std::move(series);
    co_return http::Response::json(200, answer);
}

}  // namespace berth::api
