// The allocator of the seed as a REST interface over the real leases (gpu.md E.11): populate, list, request,
// release. Its answers are those of a plain array of counters.
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "store/queries.hpp"

namespace berth::api {
namespace {

constexpr std::size_t kMaxDevices = 4096;

json::object counters(const Dependencies& hub) {
    json::object list;
    for (const auto& [uuid, leases] : hub.facade.list())
        list[uuid.value] = leases;
    return list;
}

Result<std::vector<DeviceUuid>> uuids_of(const http::Request& request) {
    BERTH_TRY(const auto body, json_body(request));
    const auto* list = body ? body->if_array() : nullptr;
    if (list == nullptr) return bad_request("The body must be a JSON list of device UUIDs");
    if (list->size() > kMaxDevices) return bad_request("At most " + std::to_string(kMaxDevices) + " devices");
    std::vector<DeviceUuid> uuids;
    for (const auto& item : *list) {
        const auto* text = item.if_string();
        if (text == nullptr || text->empty() || text->size() > 128) {
            return bad_request("Each device UUID must be a text of 1 to 128 characters");
        }
        uuids.emplace_back(std::string(*text));
    }
    return uuids;
}

}  // namespace

awaitable<Result<http::Response>> get_allocator_gpus(Dependencies& hub, Call&) {
    co_return http::Response::json(200, counters(hub));
}

awaitable<Result<http::Response>> post_allocator_gpus(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto uuids, uuids_of(call.request));
    auto populated = hub.facade.populate(uuids);
    auto audit = audit_of(call, "gpu.populate", std::to_string(uuids.size()) + " devices");
    BERTH_CO_CHECK(co_await hub.facade.commit_populated(hub.store, std::move(populated), std::move(audit)));
    co_return http::Response::json(200, counters(hub));
}

awaitable<Result<http::Response>> post_allocator_request(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {"seconds"};
    std::optional<std::chrono::seconds> length;
    if (const auto sent = parse_json(call.request.body); sent && sent->is_object()) {
        BERTH_CO_TRY(const auto body, object_body(call.request));
        BERTH_CO_CHECK(only_keys(body, kKeys));
        BERTH_CO_TRY(const auto seconds, integer_member(body, "seconds"));
        if (seconds && (*seconds < 1 || *seconds > hub.facade.time_to_live().count()))
            co_return bad_request(
                "'seconds' must be from 1 to " + std::to_string(hub.facade.time_to_live().count()) +
                " (gpu.facade_lease)");
        if (seconds) length = std::chrono::seconds(*seconds);
    }
    const auto promised = hub.start.promised_gpus(length.value_or(hub.facade.time_to_live()));
    auto granted = hub.facade.request(call.now, promised, length);
    if (!granted) {
        const Error error = granted.error();
        // The seed's callers know one error; nothing to do with a limit on requests.
        if (error.is(gpu::DeviceErrc::none_free))
            co_return Error{ApiErrc::conflict, error.message, error.detail};
        co_return error;
    }
    const auto row = granted->row;
    const auto usage = hub.leases.usage_of(row, hub.ids, call.now);
    const auto audit = audit_of(call, "gpu.lease", row.devices.at(0).value);
    store::Change change = [row, usage, audit](store::Transaction& t) {
        store::insert(t, row);
        for (const auto& interval : usage)
            store::insert(t, interval);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await hub.store.commit(std::move(change)));
    std::move(granted->claim).keep();
    json::object answer{{"uuid", row.devices.at(0).value}, {"lease", number_of(row.id)}};
    answer["expires_at"] = or_null(row.expires_at);
    co_return http::Response::json(201, answer);
}

awaitable<Result<http::Response>> post_allocator_release(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_TRY(const auto text, text_member(body, "uuid"));
    if (!text) co_return bad_request("The body must be an object with 'uuid'");
    auto released = hub.facade.release(DeviceUuid(*text), call.now);
    if (!released) {
        const Error error = released.error();
        if (error.is(gpu::DeviceErrc::unknown_device)) co_return not_found(error.message);
        co_return error;
    }
    if (!released->empty()) {
        BERTH_CO_CHECK(co_await hub.facade.commit_ended(
            hub.store, std::move(*released), audit_of(call, "gpu.release", *text)));
    }
    co_return http::Response::json(200, counters(hub));
}

}  // namespace berth::api
