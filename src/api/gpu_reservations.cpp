// Reservations of GPUs, as JSON and as a calendar feed, and GPUs that are being emptied (gpu.md E.1, E.11).
// For whom a GPU is kept shows to those it is kept for, to administrators, and to everybody in open pools.
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/ical.hpp"
#include "base/text.hpp"
#include "gpu/pools.hpp"

namespace berth::api {
namespace {

bool shows_owner(const Dependencies& hub, const Call& call, const store::ReservationRow& row) {
    if (call.who().scopes().has_everywhere("gpu:admin")) return true;
    const bool person = call.who().user.has_value();
    if (person && hub.reservations.is_of(row, UserName(call.who().name))) return true;
    return gpu::is_open(hub.options.gpu, hub::Reservations::wish_of(row).pool);
}

json::object reservation_model(const Dependencies& hub, const Call& call, const store::ReservationRow& row) {
    const auto wish = hub::Reservations::wish_of(row);
    const bool shown = shows_owner(hub, call, row);
    const auto* user = row.user ? hub.directory.find(*row.user) : nullptr;
    json::array devices;
    for (const auto& uuid : wish.among)
        devices.emplace_back(uuid.value);
    json::object model{{"id", row.id}};
    model["user"] = shown && user != nullptr ? json::value(user->name().value) : json::value(nullptr);
    model["group"] = shown && !row.group.empty() ? json::value(row.group) : json::value(nullptr);
    model["project"] = shown && !row.project.empty() ? json::value(row.project) : json::value(nullptr);
    model["own"] = call.who().user && hub.reservations.is_of(row, UserName(call.who().name));
    model["gpus"] = wish.count;
    model["pool"] = wish.pool;
    model["model"] = wish.model;
    model["min_memory_bytes"] = wish.min_memory.count;
    model["devices"] = std::move(devices);
    model["begin"] = format_rfc3339(row.begin);
    model["end"] = format_rfc3339(row.end);
    model["running"] = row.begin <= call.now && call.now < row.end;
    model["note"] = shown ? json::value(row.note) : json::value("");
    model["made_by"] = shown ? json::value(row.made_by) : json::value(nullptr);
    return model;
}

Result<Timestamp> time_member(const json::object& body, std::string_view key) {
    BERTH_TRY(const auto text, text_member(body, key));
    return time_of(text.value_or(""), key);
}

Result<gpu::Wish> wish_member(const json::object& body) {
    gpu::Wish wish;
    BERTH_TRY(const auto count, integer_member(body, "gpus"));
    if (count && (*count < 1 || *count > static_cast<std::int64_t>(gpu::kMaxDevices)))
        return bad_request("'gpus' must be a whole number from 1 to " + std::to_string(gpu::kMaxDevices));
    wish.count = static_cast<std::uint32_t>(count.value_or(1));
    BERTH_TRY(const auto pool, text_member(body, "pool"));
    BERTH_TRY(const auto model, text_member(body, "model"));
    BERTH_TRY(const auto memory, text_member(body, "min_memory"));
    BERTH_TRY(const auto devices, texts_member(body, "devices"));
    wish.pool = pool.value_or("");
    wish.model = model.value_or("");
    if (memory && !memory->empty()) {
        const auto bytes = parse_bytes(*memory);
        if (!bytes) return bad_request("'min_memory' must be a size like 40G");
        wish.min_memory = *bytes;
    }
    for (const auto& uuid : devices.value_or(std::vector<std::string>{}))
        wish.among.emplace_back(uuid);
    return wish;
}

// What a calendar shows of it, in one line.
std::string summary_of(const Dependencies& hub, const Call& call, const store::ReservationRow& row) {
    const auto wish = hub::Reservations::wish_of(row);
    auto text = counted(wish.count, "GPU");
    if (!wish.pool.empty()) text.append(" of ").append(gpu::pool_in_words(wish.pool));
    text.append(" for ").append(shows_owner(hub, call, row) ? hub.reservations.owner_of(row) : "somebody");
    return text;
}

}  // namespace

awaitable<Result<http::Response>> get_reservations(Dependencies& hub, Call& call) {
    json::array list;
    const bool past = query_flag(call.request, "past");
    for (const auto& [id, row] : hub.reservations.all()) {
        if (past || row.end > call.now) list.emplace_back(reservation_model(hub, call, row));
    }
    co_return http::Response::json(200, json::object{{"reservations", std::move(list)}});
}

awaitable<Result<http::Response>> get_reservations_calendar(Dependencies& hub, Call& call) {
    std::vector<CalendarEvent> events;
    for (const auto& [id, row] : hub.reservations.all()) {
        CalendarEvent event;
        event.uid = "reservation-" + std::to_string(id) + "@" + hub.instance;
        event.summary = summary_of(hub, call, row);
        if (shows_owner(hub, call, row)) event.description = row.note;
        event.begin = row.begin;
        event.end = row.end;
        events.push_back(std::move(event));
    }
    http::Response response;
    response.headers.add("Content-Type", "text/calendar; charset=utf-8");
    response.headers.add("Content-Disposition", "inline; filename=\"gpu-reservations.ics\"");
    response.body = calendar_of("GPU reservations", events, call.now);
    co_return response;
}

// {"user", "group" or "project", "gpus", "pool", "model", "min_memory", "devices", "begin", "end", "note"}
awaitable<Result<http::Response>> post_reservation(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {
        "user", "group", "project", "gpus", "pool", "model", "min_memory", "devices", "begin", "end", "note"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    hub::Reservations::Wanted wanted;
    BERTH_CO_TRY(const auto user, text_member(body, "user"));
    BERTH_CO_TRY(const auto group, text_member(body, "group"));
    BERTH_CO_TRY(const auto project, text_member(body, "project"));
    BERTH_CO_TRY(const auto note, text_member(body, "note"));
    wanted.user = UserName(user.value_or(""));
    wanted.group = group.value_or("");
    wanted.project = project.value_or("");
    wanted.note = note.value_or("");
    BERTH_CO_TRY(wanted.wish, wish_member(body));
    const auto* begin = body.if_contains("begin");
    wanted.begin = call.now;
    if (begin != nullptr && !begin->is_null()) {
        BERTH_CO_TRY(wanted.begin, time_member(body, "begin"));
    }
    BERTH_CO_TRY(wanted.end, time_member(body, "end"));
    BERTH_CO_TRY(const auto row, co_await hub.reservations.add(*call.permit, std::move(wanted)));
    co_return http::Response::json(201, reservation_model(hub, call, row));
}

awaitable<Result<http::Response>> delete_reservation(Dependencies& hub, Call& call) {
    const auto id = integer_of(call.arguments.at(0));
    if (!id) co_return not_found("There is no reservation " + ellipsized(call.arguments.at(0), 32));
    BERTH_CO_CHECK(co_await hub.reservations.remove(*call.permit, *id));
    co_return http::Response::empty(204);
}

// {"deadline", "reason"}, both optional: nobody else gets it, who has it is told.
awaitable<Result<http::Response>> post_drain(Dependencies& hub, Call& call) {
    static constexpr std::string_view kKeys[] = {"deadline", "reason"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    const auto* given = body.if_contains("deadline");
    std::optional<Timestamp> deadline;
    if (given != nullptr && !given->is_null()) {
        BERTH_CO_TRY(deadline, time_member(body, "deadline"));
    }
    BERTH_CO_TRY(const auto reason, text_member(body, "reason"));
    const DeviceUuid uuid(call.arguments.at(0));
    if (hub.inventory.find(uuid) == nullptr) co_return not_found("There is no device " + uuid.value);
    BERTH_CO_CHECK(co_await hub.drains.begin(*call.permit, uuid, deadline, reason.value_or("")));
    const auto leases = hub.leases.on_device(uuid).size();
    std::string message = uuid.value + " is given to nobody else. ";
    message += leases == 0 ? std::string("It is free.")
                           : std::to_string(leases) + (leases == 1 ? " lease is" : " leases are") +
                                 " still on it; their people are told.";
    co_return http::Response::json(200, json::object{{"leases", leases}, {"message", std::move(message)}});
}

awaitable<Result<http::Response>> delete_drain(Dependencies& hub, Call& call) {
    const DeviceUuid uuid(call.arguments.at(0));
    if (hub.inventory.find(uuid) == nullptr) co_return not_found("There is no device " + uuid.value);
    BERTH_CO_CHECK(co_await hub.drains.end(*call.permit, uuid));
    co_return http::Response::empty(204);
}

// For a question about a device that is kept for others.
std::string reserved_text(
    Dependencies& hub, const Call& call, const DeviceUuid& device, const hub::GpuQueue::Ask& asker) {
    const auto kept = hub.start.gpu_queue().kept_from(device, asker.user, asker.project);
    if (!kept) return {};
    const auto* row = hub.reservations.find(static_cast<std::int64_t>(kept->reservation));
    std::string text = "reserved for ";
    text += row != nullptr && shows_owner(hub, call, *row) ? hub.reservations.owner_of(*row)
                                                           : std::string("somebody else");
    if (kept->begin > call.now) text.append(" from ").append(format_rfc3339(kept->begin));
    return text.append(" until ").append(format_rfc3339(kept->end));
}

}  // namespace berth::api
