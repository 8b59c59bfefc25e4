#include "hub/drains.hpp"

#include "gpu/device_rows.hpp"
#include "hub/audit.hpp"
#include "hub/errors.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"
#include "store/settings.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

constexpr auto kFurthest = 24h * 31;
constexpr std::size_t kLongestReason = 200;

std::optional<std::chrono::steady_clock::time_point> steady_of(std::optional<Timestamp> wall) {
    if (!wall) return std::nullopt;
    const auto left = std::max(*wall - now_utc(), Timestamp::duration{0});
    return std::chrono::steady_clock::now() + left;
}

std::string key_of(const DeviceUuid& device) {
    return std::string("gpu_drain:").append(device.value);
}

std::string text_of(const std::optional<Drain>& drain) {
    if (!drain) return {};
    return json::serialize(json::object{{"reason", drain->reason}, {"deadline", or_null(drain->deadline)}});
}

std::optional<Drain> drain_of_text(const std::string& text) {
    const auto parsed = parse_json(text);
    const auto* stored = parsed ? parsed->if_object() : nullptr;
    if (stored == nullptr) return std::nullopt;
    Drain drain;
    drain.reason = string_at(*stored, "reason").value_or("");
    if (const auto deadline = string_at(*stored, "deadline")) drain.deadline = parse_rfc3339(*deadline);
    drain.ends = steady_of(drain.deadline);
    return drain;
}

std::string named(const gpu::DeviceStatus& device) {
    const auto& name = device.row.name;
    return name.empty() ? device.row.uuid.value : name + " (" + device.row.uuid.value + ")";
}

}  // namespace

Result<void> Drains::restore() {
    drains_.clear();
    for (const auto& device : context_.inventory.devices()) {
        if (!device.row.cordoned) continue;
        BERTH_TRY(const auto kept, context_.store.setting(key_of(device.row.uuid)));
        if (auto drain = drain_of_text(kept.value_or("")))
            drains_.emplace(device.row.uuid, *std::move(drain));
    }
    return {};
}

awaitable<Result<void>> Drains::commit(
    access::Permit permit, DeviceUuid device, std::optional<Drain> drain, std::string action) {
    BERTH_CO_TRY(const auto plan, context_.inventory.plan_cordon(device, drain.has_value()));
    auto audit = audit_of(permit, std::move(action), device.value, drain ? drain->reason : std::string());
    if (drain && drain->deadline)
        audit.detail.append(audit.detail.empty() ? "by " : ", by ").append(format_rfc3339(*drain->deadline));
    store::Change change = [plan, key = key_of(device), text = text_of(drain), audit](store::Transaction& t) {
        gpu::write(t, plan);
        store::put_setting(t, key, text);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    drains_.erase(device);
    if (drain) drains_.emplace(device, *std::move(drain));
    context_.inventory.apply_cordon(plan);
    context_.leases.sync(context_.inventory);
    co_return co_await gpu::write_changes(context_.store, context_.inventory);
}

awaitable<Result<void>> Drains::begin(
    access::Permit permit, DeviceUuid device, std::optional<Timestamp> deadline, std::string reason) {
    if (deadline && *deadline <= now_utc())
        co_return Error{HubErrc::options_invalid, "The deadline of a drain must be in the future."};
    if (deadline && *deadline - now_utc() > kFurthest)
        co_return Error{HubErrc::options_invalid, "A drain may take 31 days at most."};
    if (reason.size() > kLongestReason)
        co_return Error{HubErrc::options_invalid, "The reason may have 200 bytes at most."};
    std::optional<Drain> drain = Drain{std::move(reason), deadline, steady_of(deadline)};
    log::info("gpu.drain", {{"device", device.value}, {"by", permit.principal_name()}});
    co_return co_await commit(std::move(permit), std::move(device), std::move(drain), "gpu.drain");
}

awaitable<Result<void>> Drains::end(access::Permit permit, DeviceUuid device) {
    std::string action = find(device) != nullptr ? "gpu.undrain" : "gpu.uncordon";
    co_return co_await commit(std::move(permit), std::move(device), std::nullopt, std::move(action));
}

const Drain* Drains::find(const DeviceUuid& device) const {
    const auto at = drains_.find(device);
    return at == drains_.end() ? nullptr : &at->second;
}

const Drain* Drains::of(const Server& server) const {
    const Drain* first = nullptr;
    for (const auto& uuid : server.devices) {
        const auto* drain = find(uuid);
        if (drain == nullptr) continue;
        const bool sooner =
            first == nullptr || (drain->ends && (!first->ends || *drain->ends < *first->ends));
        if (sooner) first = drain;
    }
    return first;
}

std::string gpu_notice(const Server& server, const gpu::Inventory& inventory, const Drains* drains) {
    if (!server.ready()) return {};
    for (const auto& uuid : server.devices) {
        const auto* device = inventory.find(uuid);
        if (device == nullptr || device->health == gpu::Health::healthy) continue;
        std::string text = "The GPU ";
        text.append(named(*device)).append(" of this server is not well");
        if (!device->health_detail.empty()) text.append(": ").append(device->health_detail);
        if (text.back() != '.') text += '.';
        const bool alone = server.devices.size() == 1;
        text.append(
            alone ? " Save your work, stop the server and start it again to get another one."
                  : " What works on all of its GPUs together may fail. Save your work, stop the "
                    "server and start it again to get others.");
        return text;
    }
    const auto* drain = drains == nullptr ? nullptr : drains->of(server);
    if (drain == nullptr) return {};
    std::string text = "A GPU of this server is being taken out of service";
    if (!drain->reason.empty()) text.append(" (").append(drain->reason).append(")");
    text += drain->deadline ? ". The server is stopped at " + format_rfc3339(*drain->deadline) + "."
                            : ". You may finish your work; stop the server when you are done.";
    return text;
}

}  // namespace berth::hub
