// What the start form offers: the profiles, and whether each fits now.
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "gpu/pools.hpp"

#include <algorithm>

namespace berth::api {
namespace {

struct Free {
    std::uint32_t devices = 0;
    std::uint32_t total = 0;
};

Free free_now(const Dependencies& hub, const config::Profile& profile) {
    gpu::Wish wish;
    wish.sharing = hub.leases.sharing(profile.gpu_exclusive);
    wish.pool = profile.gpu_pool;
    wish.model = profile.gpu_model;
    wish.min_memory = profile.gpu_memory.value_or(Bytes{});
    Free free;
    for (const auto& uuid : hub.start.gpu_queue().matching(wish)) {
        const auto view = hub.leases.ledger().find(uuid);
        if (!view || !view->device.eligible) continue;
        ++free.total;
        const bool alone = wish.sharing == gpu::Sharing::exclusive;
        const bool room =
            alone ? view->leases == 0 : !view->exclusively_held && view->leases < view->device.capacity;
        free.devices += room ? 1U : 0U;
    }
    return free;
}

json::value reason_for(const config::Profile& profile, const Free& free) {
    if (profile.gpus <= free.devices) return nullptr;
    std::string of;
    if (!profile.gpu_pool.empty()) of.append(" of ").append(gpu::pool_in_words(profile.gpu_pool));
    if (profile.gpus > free.total) {
        return json::value(
            "There are " + std::to_string(free.total) + " GPUs" + of + "; this needs " +
            std::to_string(profile.gpus) + ".");
    }
    if (free.devices == 0)
        return json::value("All " + std::to_string(free.total) + " GPUs" + of + " are in use.");
    return json::value(
        "Only " + std::to_string(free.devices) + " of " + std::to_string(free.total) + " GPUs" + of +
        " are free; this needs " + std::to_string(profile.gpus) + ".");
}

// When it would start for them, if it had to wait; null when it starts at once, or never.
json::value wait_for(
    const Dependencies& hub,
    const ServerKey& key,
    const config::Profile& profile,
    const std::string& project) {
    if (profile.gpus == 0 || !hub.options.gpu.queue.enabled) return nullptr;
    const auto ask =
        hub.start.gpu_request(key, json::object{{"profile", profile.name}, {"project", project}});
    if (!ask) return nullptr;
    const auto why = hub.start.gpu_queue().why(*ask);
    if (why.starts_now || !why.refusal.empty()) return nullptr;
    return place_model(why.estimate, why.quota);
}

json::object profile_model(
    const Dependencies& hub,
    const ServerKey& key,
    const config::Profile& profile,
    const std::string& project,
    bool allowed) {
    const Free free = free_now(hub, profile);
    auto wait = allowed ? wait_for(hub, key, profile, project) : json::value(nullptr);
    json::object available;
    available["fits"] = profile.gpus <= free.devices && wait.is_null();
    available["wait"] = std::move(wait);
    available["free_gpus"] = free.devices;
    available["total_gpus"] = free.total;
    available["reason"] = reason_for(profile, free);
    json::object model;
    model["name"] = profile.name;
    model["display_name"] = profile.display_name;
    model["description"] = profile.description;
    model["image"] = profile.image;
    model["gpus"] = profile.gpus;
    model["max_gpus"] = profile.max_gpus;
    model["gpu_pool"] = profile.gpu_pool;
    model["cpus"] = profile.cpus ? json::value(*profile.cpus) : json::value(nullptr);
    model["memory_bytes"] = profile.memory ? json::value(profile.memory->count) : json::value(nullptr);
    model["allowed"] = allowed;
    model["available"] = std::move(available);
    return model;
}

}  // namespace

// ?user=ann&server=&project=: the waits are those of starts for that project.
awaitable<Result<http::Response>> get_profiles(Dependencies& hub, Call& call) {
    const ServerKey key{
        UserName(call.request.query_value("user").value_or(call.who().name)),
        ServerName(call.request.query_value("server").value_or(""))};
    const access::AccessCheck access(hub.directory);
    BERTH_CO_CHECK(access.check(call.who(), {"start:servers"}, access::Target::of(key)));
    const auto* user = hub.directory.find(key.user);
    if (user == nullptr) co_return not_found();
    const auto person = hub::person_of(hub.directory, *user);
    const json::object asked{{"project", call.request.query_value("project").value_or("")}};
    BERTH_CO_TRY(const auto project, hub::chosen_project(hub.options.gpu, person, asked));
    json::array models;
    for (const auto& profile : hub.start.profiles()) {
        const bool allowed = hub::may_use(profile, person.groups);
        models.emplace_back(profile_model(hub, key, profile, project, allowed));
    }
    co_return http::Response::json(200, models);
}

}  // namespace berth::api
