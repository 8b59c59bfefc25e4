// The queue for GPUs: who waits, why, and who had how much (gpu.md E.10, E.11). Others' names show only to
// those who may see all of it; places, times and what is in the way show to everybody.
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "base/text.hpp"
#include "store/queries.hpp"

#include <algorithm>
#include <map>

namespace berth::api {

json::object place_model(const gpu::Estimate& estimate, const std::string& held_back_by) {
    json::object model;
    model["position"] = estimate.position;
    model["latest_start"] = or_null(estimate.latest_start);
    model["likely_start"] = or_null(estimate.likely_start);
    model["held_back_by"] = held_back_by.empty() ? json::value(nullptr) : json::value(held_back_by);
    return model;
}

namespace {

json::object standing_model(
    const Dependencies& hub, const Call& call, const hub::GpuQueue::Standing& standing, bool sees_all) {
    const auto* user = hub.directory.find(standing.user);
    const auto server = hub.servers.find(standing.server);
    const bool shown = user != nullptr && (sees_all || call.who().is(user->name()));
    auto model = place_model(standing.estimate, standing.estimate.quota);
    model["user"] = shown ? json::value(user->name().value) : json::value(nullptr);
    model["server"] = shown && server ? json::value(server->key.server.value) : json::value(nullptr);
    model["gpus"] = standing.gpus;
    model["since"] = format_rfc3339(standing.enqueued);
    return model;
}

json::object device_answer(const Dependencies& hub, const gpu::DeviceAnswer& answer) {
    const auto* device = hub.inventory.find(answer.device);
    json::object model;
    model["uuid"] = answer.device.value;
    model["name"] = device != nullptr ? json::value(device->row.name) : json::value(nullptr);
    model["excluded_by"] = answer.exclusion == gpu::Exclusion::none
                               ? json::value(nullptr)
                               : json::value(std::string(gpu::name_of(answer.exclusion)));
    model["text"] = answer.text;
    model["free_at"] = or_null(answer.free_at);
    return model;
}

// Whose end would free one of the devices that are in use; refusals name them too.
std::optional<std::string> holders_of(
    const Dependencies& hub, const std::vector<gpu::DeviceAnswer>& devices) {
    std::vector<std::string> names;
    for (const auto& device : devices) {
        if (device.exclusion != gpu::Exclusion::in_use) continue;
        for (const auto* lease : hub.leases.on_device(device.device)) {
            const auto* user = lease->user ? hub.directory.find(*lease->user) : nullptr;
            const std::string name = user == nullptr ? "the allocator API" : user->name().value;
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    if (names.empty()) return std::nullopt;
    constexpr std::size_t kShown = 6;
    std::string text = "The end of a server of ";
    for (std::size_t at = 0; at < std::min(names.size(), kShown); ++at)
        text.append(at == 0 ? "" : ", ").append(names[at]);
    if (names.size() > kShown)
        text.append(" or ").append(std::to_string(names.size() - kShown)).append(" others");
    return text + ".";
}

awaitable<Result<std::vector<store::UsageIntervalRow>>> intervals_since(Dependencies& hub, Timestamp from) {
    std::vector<store::UsageIntervalRow> intervals;
    store::Change query = [&intervals, from](store::Transaction& t) {
        intervals = store::usage_intervals(t, from);
    };
    BERTH_CO_CHECK(co_await hub.store.read(std::move(query)));
    co_return intervals;
}

struct Held {
    double hours = 0;
    std::int64_t leases = 0;
};

// What the rows are summed by.
std::string key_of(const Dependencies& hub, const store::UsageIntervalRow& interval, const std::string& by) {
    if (by == "gpu") return interval.device.value;
    if (by == "model") {
        const auto* device = hub.inventory.find(interval.device);
        return device == nullptr ? interval.device.value : device->row.name;
    }
    const auto* user = interval.user ? hub.directory.find(*interval.user) : nullptr;
    if (user == nullptr) return interval.user ? "(removed)" : "(allocator)";
    if (by == "user") return user->name().value;
    const auto groups = hub.directory.group_names_of(*user);
    return groups.empty() ? "(none)" : groups.front();
}

std::map<std::string, Held> sum(
    const Dependencies& hub,
    const std::vector<store::UsageIntervalRow>& intervals,
    const std::string& by,
    Timestamp from,
    Timestamp to) {
    std::map<std::string, Held> sums;
    for (const auto& interval : intervals) {
        const auto begin = std::max(interval.begin, from);
        const auto end = std::min(interval.end.value_or(to), to);
        if (begin >= end) continue;
        auto& held = sums[key_of(hub, interval, by)];
        held.hours += std::chrono::duration<double, std::ratio<3600>>(end - begin).count() * interval.share;
        ++held.leases;
    }
    return sums;
}

std::string csv_of(const std::map<std::string, Held>& sums, const std::string& by) {
    std::string text = by + ",gpu_hours,intervals\r\n";
    for (const auto& [key, held] : sums) {
        std::string quoted = key;
        for (std::size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2)
            quoted.insert(at, 1, '"');
        text.append("\"").append(quoted).append("\",").append(std::to_string(held.hours));
        text.append(",").append(std::to_string(held.leases)).append("\r\n");
    }
    return text;
}

Result<Timestamp> time_query(const Call& call, std::string_view name, Timestamp otherwise) {
    const auto text = call.request.query_value(name);
    if (!text || text->empty()) return otherwise;
    const auto time = parse_rfc3339(*text);
    if (!time) return bad_request("'" + std::string(name) + "' must be a time like 2026-01-31T12:00:00Z");
    return *time;
}

}  // namespace

awaitable<Result<http::Response>> get_gpu_queue(Dependencies& hub, Call& call) {
    const bool sees_all = call.who().scopes().has_everywhere("gpu:admin");
    json::array waiting;
    for (const auto& standing : hub.start.gpu_queue().standings())
        waiting.emplace_back(standing_model(hub, call, standing, sees_all));
    co_return http::Response::json(
        200, json::object{{"enabled", hub.options.gpu.queue.enabled}, {"waiting", std::move(waiting)}});
}

// {"user": "ann", "server": "", "options": {…}}: what a start with these options would meet now.
awaitable<Result<http::Response>> post_gpu_simulate(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {"user", "server", "options"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto user, text_member(body, "user"));
    BERTH_CO_TRY(const auto server, text_member(body, "server"));
    const ServerKey key{UserName(user.value_or(call.who().name)), ServerName(server.value_or(""))};
    const access::AccessCheck access(hub.directory);
    BERTH_CO_CHECK(access.check(call.who(), {"start:servers"}, access::Target::of(key)));
    const auto* options = body.if_contains("options");
    BERTH_CO_TRY(
        const auto ask, hub.start.gpu_request(key, options == nullptr ? json::value(nullptr) : *options));
    json::object answer;
    if (ask.wish.count == 0) {
        answer["starts_now"] = true;
        answer["devices"] = json::array();
        answer["helps"] = json::array();
        co_return http::Response::json(200, answer);
    }
    const auto why = hub.start.gpu_queue().why(ask);
    answer = place_model(why.estimate, why.quota);
    answer["starts_now"] = why.starts_now;
    answer["refusal"] = why.refusal.empty() ? json::value(nullptr) : json::value(why.refusal);
    json::array devices;
    for (const auto& device : why.devices)
        devices.emplace_back(device_answer(hub, device));
    answer["devices"] = std::move(devices);
    json::array helps;
    for (const auto& sentence : why.helps)
        helps.emplace_back(sentence);
    if (const auto holders = why.starts_now ? std::nullopt : holders_of(hub, why.devices))
        helps.emplace_back(*holders);
    answer["helps"] = std::move(helps);
    co_return http::Response::json(200, answer);
}

// The last 24 hours, device by device: who held it from when until when.
awaitable<Result<http::Response>> get_gpu_history(Dependencies& hub, Call& call) {
    const bool sees_all = call.who().scopes().has_everywhere("gpu:admin");
    const auto from = call.now - std::chrono::hours(24);
    BERTH_CO_TRY(const auto intervals, co_await intervals_since(hub, from));
    std::map<std::string, json::array> by_device;
    for (const auto& interval : intervals) {
        const auto* user = interval.user ? hub.directory.find(*interval.user) : nullptr;
        const bool shown = user != nullptr && (sees_all || call.who().is(user->name()));
        json::object span;
        span["from"] = format_rfc3339(std::max(interval.begin, from));
        span["to"] = or_null(interval.end);
        span["user"] = shown ? json::value(user->name().value) : json::value(nullptr);
        span["own"] = user != nullptr && call.who().is(user->name());
        by_device[interval.device.value].push_back(std::move(span));
    }
    json::object devices;
    for (auto& [uuid, spans] : by_device)
        devices[uuid] = std::move(spans);
    json::object answer{{"from", format_rfc3339(from)}, {"to", format_rfc3339(call.now)}};
    answer["devices"] = std::move(devices);
    co_return http::Response::json(200, answer);
}

// ?by=user|group|model|gpu&from=…&to=…&format=json|csv: GPU-hours held, the last 30 days when nothing is
// said.
awaitable<Result<http::Response>> get_gpu_usage(Dependencies& hub, Call& call) {
    const std::string by = call.request.query_value("by").value_or("user");
    static constexpr std::string_view kBy[] = {"user", "group", "model", "gpu"};
    if (std::find(std::begin(kBy), std::end(kBy), by) == std::end(kBy))
        co_return bad_request("'by' must be user, group, model or gpu");
    BERTH_CO_TRY(const auto to, time_query(call, "to", call.now));
    BERTH_CO_TRY(const auto from, time_query(call, "from", to - std::chrono::hours(24 * 30)));
    BERTH_CO_TRY(const auto intervals, co_await intervals_since(hub, from));
    const auto sums = sum(hub, intervals, by, from, std::min(to, call.now));
    if (call.request.query_value("format").value_or("json") == "csv") {
        http::Response response;
        response.headers.add("Content-Type", "text/csv; charset=utf-8");
        response.body = csv_of(sums, by);
        co_return response;
    }
    json::array rows;
    for (const auto& [key, held] : sums)
        rows.emplace_back(json::object{{by, key}, {"gpu_hours", held.hours}, {"intervals", held.leases}});
    json::object answer{{"by", by}, {"from", format_rfc3339(from)}, {"to", format_rfc3339(to)}};
    answer["rows"] = std::move(rows);
    co_return http::Response::json(200, answer);
}

}  // namespace berth::api
