// The GPU board: what devices there are, who holds them, and the administrator's switch (gpu.md E.8).
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/gpu_names.hpp"
#include "api/handlers.hpp"
#include "base/text.hpp"
#include "gpu/device_rows.hpp"
#include "gpu/pools.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::api {
namespace {

// When it ends by what is known now: its own end, or how old its server may become.
std::optional<Timestamp> end_of(const Dependencies& hub, const store::LeaseRow& lease) {
    if (lease.expires_at) return lease.expires_at;
    const auto& holdings = hub.start.gpu_queue().scheduler().state().holdings;
    const auto known = holdings.find(lease.id);
    return known == holdings.end() ? std::nullopt : known->second.deadline;
}

// Of a lease of several devices one sick member is enough (gpu.md E.8).
std::string sickness_of(const Dependencies& hub, const store::LeaseRow& lease) {
    for (const auto& uuid : lease.devices) {
        const auto* device = hub.inventory.find(uuid);
        if (device == nullptr || device->health == gpu::Health::healthy) continue;
        std::string text = uuid.value;
        text.append(" is ").append(gpu::name_of(device->health));
        return device->health_detail.empty() ? text : text.append(": ").append(device->health_detail);
    }
    return {};
}

// Others' names as far as the pool's privacy goes; one's own leases always show.
json::object lease_model(
    const Dependencies& hub,
    const Call& call,
    const gpu::DeviceStatus& device,
    const store::LeaseRow& lease) {
    const auto* user = lease.user ? hub.directory.find(*lease.user) : nullptr;
    const bool own = user != nullptr && call.who().is(user->name());
    const auto server = lease.server ? hub.servers.find(*lease.server) : nullptr;
    const bool shown = own || sees_holders(hub, call.who(), device.row);
    json::object model;
    model["id"] = number_of(lease.id);
    model["user"] = shown && user != nullptr ? json::value(user->name().value) : json::value(nullptr);
    model["server"] = shown && server ? json::value(server->key.server.value) : json::value(nullptr);
    model["project"] = shown && !lease.project.empty() ? json::value(lease.project) : json::value(nullptr);
    model["state"] = store::name_of(lease.state);
    model["exclusive"] = lease.exclusive;
    model["since"] = format_rfc3339(lease.created);
    model["own"] = own;
    model["until"] = or_null(end_of(hub, lease));
    const auto sick = sickness_of(hub, lease);
    model["sick"] = !sick.empty();
    model["sick_reason"] = sick.empty() ? json::value(nullptr) : json::value(sick);
    return model;
}

template <class Number>
json::value number_or_null(const std::optional<Number>& number) {
    return number ? json::value(*number) : json::value(nullptr);
}

json::object device_model(
    const Dependencies& hub, const Call& call, const gpu::DeviceStatus& device, bool sees_all) {
    const auto& reading = device.reading;
    const auto view = hub.leases.ledger().find(device.row.uuid);
    const std::int64_t held = view ? view->leases : 0;
    const bool full = view && view->exclusively_held;
    const std::int64_t room =
        full || !device.eligible() ? 0 : std::max<std::int64_t>(0, device.row.capacity - held);
    json::object model;
    model["uuid"] = device.row.uuid.value;
    model["index"] = reading ? number_or_null(reading->index) : json::value(nullptr);
    model["name"] = device.row.name.empty() ? device.row.uuid.value : device.row.name;
    model["memory_bytes"] =
        device.row.memory_bytes == 0 ? json::value(nullptr) : json::value(device.row.memory_bytes);
    model["used_memory_bytes"] = reading ? number_or_null(reading->used_bytes) : json::value(nullptr);
    model["utilization_percent"] =
        reading ? number_or_null(reading->utilisation_percent) : json::value(nullptr);
    model["temperature_celsius"] =
        reading ? number_or_null(reading->temperature_celsius) : json::value(nullptr);
    model["power_watts"] = reading && reading->power_milliwatts
                               ? json::value(*reading->power_milliwatts / 1000.0)
                               : json::value(nullptr);
    model["pool"] = gpu::pool_of(hub.options.gpu, device.row);
    model["capacity"] = device.row.capacity;
    model["leases_count"] = held;
    model["free"] = room;
    model["cordoned"] = device.row.cordoned;
    model["eligible"] = device.eligible();
    const auto* drain = hub.drains.find(device.row.uuid);
    model["drain"] = nullptr;
    if (drain != nullptr)
        model["drain"] = json::object{{"reason", drain->reason}, {"deadline", or_null(drain->deadline)}};
    model["health"] = gpu::name_of(device.health);
    model["health_detail"] = device.health_detail;
    json::array leases;
    for (const auto* lease : hub.leases.on_device(device.row.uuid)) {
        leases.emplace_back(lease_model(hub, call, device, *lease));
    }
    model["leases"] = std::move(leases);
    json::array external;  // names of containers and processes are for those who may see whose they are
    for (const auto& use : hub.inventory.external()) {
        const bool here =
            std::find(use.devices.begin(), use.devices.end(), device.row.uuid) != use.devices.end();
        if (here) external.emplace_back(sees_all ? json::value(use.name) : json::value(nullptr));
    }
    model["external"] = std::move(external);
    return model;
}

awaitable<Result<http::Response>> set_cordoned(Dependencies& hub, Call& call, bool cordoned) {
    const DeviceUuid uuid(call.arguments.at(0));
    const auto plan = hub.inventory.plan_cordon(uuid, cordoned);
    if (!plan) co_return not_found("There is no device " + uuid.value);
    const auto audit = audit_of(call, cordoned ? "gpu.cordon" : "gpu.uncordon", uuid.value);
    store::Change change = [rows = *plan, audit](store::Transaction& t) {
        gpu::write(t, rows);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await hub.store.commit(std::move(change)));
    hub.inventory.apply_cordon(*plan);
    hub.leases.sync(hub.inventory);
    BERTH_CO_CHECK(co_await gpu::write_changes(hub.store, hub.inventory));
    co_return http::Response::empty(204);
}

}  // namespace

awaitable<Result<http::Response>> get_gpus(Dependencies& hub, Call& call) {
    const bool sees_all = call.who().scopes().has_everywhere("gpu:admin");
    const auto stale = hub.inventory.stale_since();
    json::object board;
    board["simulated"] = hub.inventory.simulated();
    board["stale"] = stale.has_value();
    board["stale_since"] = or_null(stale);
    board["oversubscription"] = hub.options.gpu.oversubscription;
    board["driver_version"] = std::string(hub.inventory.driver_version());
    const auto& error = hub.inventory.agent_error();
    board["agent_error"] = error && sees_all ? json::value(error->message) : json::value(nullptr);
    json::array devices;
    for (const auto& device : hub.inventory.devices())
        devices.emplace_back(device_model(hub, call, device, sees_all));
    board["devices"] = std::move(devices);
    co_return http::Response::json(200, board);
}

awaitable<Result<http::Response>> put_cordon(Dependencies& hub, Call& call) {
    return set_cordoned(hub, call, true);
}
awaitable<Result<http::Response>> delete_cordon(Dependencies& hub, Call& call) {
    // A drain ends with it.
    const DeviceUuid uuid(call.arguments.at(0));
    if (hub.drains.find(uuid) != nullptr) return delete_drain(hub, call);
    return set_cordoned(hub, call, false);
}

// A server's devices are free only when the engine says that its container is gone, so its lease ends by
// stopping it; a lease of the allocator façade ends at once.
awaitable<Result<http::Response>> delete_lease(Dependencies& hub, Call& call) {
    const auto number = integer_of(call.arguments.at(0));
    const auto* lease = number ? hub.leases.find(static_cast<LeaseId>(*number)) : nullptr;
    if (lease == nullptr)
        co_return not_found("There is no live lease " + ellipsized(call.arguments.at(0), 32));
    const auto server = lease->server ? hub.servers.find(*lease->server) : nullptr;
    if (server) {
        BERTH_CO_CHECK(co_await hub.stop.begin(*call.permit, server->key));
        co_return http::Response::json(
            202, json::object{{"message", "The server " + server->key.full_name() + " is being stopped."}});
    }
    BERTH_CO_TRY(const auto row, hub.leases.release(lease->id, call.now, "released by an administrator"));
    store::Change change =
        [row, audit = audit_of(call, "gpu.release", call.arguments.at(0))](store::Transaction& t) {
            store::end_lease(t, row);
            store::insert(t, audit);
        };
    BERTH_CO_CHECK(co_await hub.store.commit(std::move(change)));
    hub.leases.apply(row);
    co_return http::Response::empty(204);
}

}  // namespace berth::api
