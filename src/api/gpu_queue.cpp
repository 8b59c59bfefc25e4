// The queue for GPUs: who waits and why (gpu.md E.11). Others' names show as far as the pools' privacy goes;
// places, times and what is in the way show to everybody.
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/gpu_names.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "base/text.hpp"
#include "gpu/pools.hpp"
#include "store/queries.hpp"

#include <algorithm>

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
    const Dependencies& hub, const Call& call, const hub::GpuQueue::Standing& standing) {
    const auto* user = hub.directory.find(standing.user);
    const auto server = hub.servers.find(standing.server);
    const bool shown = user != nullptr && sees_who_waits(hub, call.who(), *user);
    auto model = place_model(standing.estimate, standing.estimate.quota);
    model["user"] = shown ? json::value(user->name().value) : json::value(nullptr);
    model["server"] = shown && server ? json::value(server->key.server.value) : json::value(nullptr);
    model["own"] = user != nullptr && call.who().is(user->name());
    model["gpus"] = standing.gpus;
    model["since"] = format_rfc3339(standing.enqueued);
    return model;
}

json::object device_answer(
    Dependencies& hub, const Call& call, const gpu::DeviceAnswer& answer, const hub::GpuQueue::Ask& asker) {
    const auto* device = hub.inventory.find(answer.device);
    json::object model;
    model["uuid"] = answer.device.value;
    model["name"] = device != nullptr ? json::value(device->row.name) : json::value(nullptr);
    model["pool"] =
        device != nullptr ? json::value(gpu::pool_of(hub.options.gpu, device->row)) : json::value(nullptr);
    model["excluded_by"] = answer.exclusion == gpu::Exclusion::none
                               ? json::value(nullptr)
                               : json::value(std::string(gpu::name_of(answer.exclusion)));
    const auto reserved = answer.exclusion == gpu::Exclusion::reserved
                              ? reserved_text(hub, call, answer.device, asker)
                              : std::string();
    model["text"] = reserved.empty() ? answer.text : reserved;
    model["free_at"] = or_null(answer.free_at);
    return model;
}

// Whose end would free one of the devices that are in use; refusals name them too.
std::optional<std::string> holders_of(
    const Dependencies& hub, const Call& call, const std::vector<gpu::DeviceAnswer>& devices) {
    std::vector<std::string> names;
    for (const auto& device : devices) {
        if (device.exclusion != gpu::Exclusion::in_use) continue;
        for (const auto* lease : hub.leases.on_device(device.device)) {
            if (!sees_holder(hub, call.who(), device.device, lease->user)) continue;
            const auto* user = lease->user ? hub.directory.find(*lease->user) : nullptr;
            const std::string name = user == nullptr ? "the allocator API" : user->name().value;
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    if (names.empty()) return std::nullopt;
    constexpr std::size_t kShown = 6;
    return std::string("The end of a server of ").append(listed(names, kShown)).append(".");
}

}  // namespace

awaitable<Result<http::Response>> get_gpu_queue(Dependencies& hub, Call& call) {
    json::array waiting;
    for (const auto& standing : hub.start.gpu_queue().standings())
        waiting.emplace_back(standing_model(hub, call, standing));
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
        devices.emplace_back(device_answer(hub, call, device, ask));
    answer["devices"] = std::move(devices);
    json::array helps;
    for (const auto& sentence : why.helps)
        helps.emplace_back(sentence);
    if (const auto holders = why.starts_now ? std::nullopt : holders_of(hub, call, why.devices))
        helps.emplace_back(*holders);
    answer["helps"] = std::move(helps);
    co_return http::Response::json(200, answer);
}

}  // namespace berth::api
