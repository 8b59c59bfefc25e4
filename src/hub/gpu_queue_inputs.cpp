// What the queue tells the scheduler: options, requests, leases and devices in its words.
#include "gpu/device_links.hpp"
#include "gpu/pools.hpp"
#include "hub/culling.hpp"
#include "hub/gpu_queue.hpp"
#include "hub/servers.hpp"
#include "hub/stored_wish.hpp"

#include <algorithm>
#include <limits>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

// Whoever has reserved what they ask for comes before all that have not.
constexpr std::int64_t kReservedClass = 1'000'000;

// The configuration's names are keys, with '_'.
gpu::Policy policy_of(std::string key) {
    std::replace(key.begin(), key.end(), '_', '-');
    return gpu::policy_named(key).value_or(gpu::Policy::least_allocated);
}

}  // namespace

gpu::SchedulerOptions GpuQueue::scheduler_options(const config::Options& options) {
    gpu::SchedulerOptions made;
    made.default_length.reset();
    made.age_max = options.gpu.queue.age_max;
    made.reclaim_grace = options.cull.warning;
    made.start_limit = 24h * 365;  // a start has its own deadlines, and ends in the reaper
    made.external_limit = std::numeric_limits<std::uint32_t>::max();  // avoided by the policy, not forbidden
    made.fair_share.half_life = options.gpu.queue.half_life;
    made.policy = policy_of(options.gpu.policy);
    for (const auto& pool : options.gpu.pools)
        made.policy_of_pool[pool.name] = policy_of(pool.policy);
    const auto& preemption = options.gpu.preemption;
    made.preemption.enabled = preemption.enabled;
    made.preemption.min_runtime = preemption.min_runtime;
    made.preemption.hysteresis = preemption.hysteresis_percent / 100.0;
    made.preemption.grace = preemption.grace;
    return made;
}

std::vector<gpu::QuotaRule> GpuQueue::quota_rules(const config::Options& options) {
    std::vector<gpu::QuotaRule> rules;
    for (const auto& each : options.gpu.quotas) {
        gpu::QuotaRule rule;
        rule.scope = !each.project.empty() ? gpu::QuotaScope::project
                     : !each.group.empty() ? gpu::QuotaScope::group
                                           : gpu::QuotaScope::user;
        rule.name = !each.project.empty() ? each.project : !each.group.empty() ? each.group : each.user;
        if (rule.name.empty()) rule.name = "*";
        rule.devices = each.gpus;
        rule.gpu_hours = each.gpu_hours;
        rule.window = each.window;
        rule.entries = each.waiting;
        rule.model = each.model;
        rule.pool = each.pool;
        rules.push_back(std::move(rule));
    }
    return rules;
}

json::object stored_request(const GpuQueue::Ask& ask) {
    auto request = stored_wish(ask.wish);
    request["exclusive"] = ask.wish.sharing == gpu::Sharing::exclusive;
    request["profile"] = ask.profile;
    request["project"] = ask.project;
    request["preemptible"] = ask.preemptible;
    return request;
}

GpuQueue::Ask GpuQueue::ask_of(const store::QueueEntryRow& row) {
    GpuQueue::Ask ask;
    ask.user = row.user;
    ask.server = row.server;
    ask.priority = row.priority;
    if (const auto* request = row.request.if_object()) {
        ask.wish = wish_of_stored(*request);
        const auto* exclusive = request->if_contains("exclusive");
        const bool shared = exclusive != nullptr && exclusive->is_bool() && !exclusive->get_bool();
        ask.wish.sharing = shared ? gpu::Sharing::shared : gpu::Sharing::exclusive;
        ask.profile = string_at(*request, "profile").value_or("");
        ask.project = string_at(*request, "project").value_or("");
        const auto* preemptible = request->if_contains("preemptible");
        ask.preemptible = preemptible != nullptr && preemptible->is_bool() && preemptible->get_bool();
    }
    return ask;
}

gpu::Asker GpuQueue::asker_of(UserId id, const std::string& project) const {
    gpu::Asker asker;
    asker.user = id;
    asker.project = project;
    const auto* user = context_.directory.find(id);
    if (user == nullptr) return asker;
    asker.name = user->name().value;
    asker.groups = context_.directory.group_names_of(*user);
    return asker;
}

std::optional<seconds> GpuQueue::length_of(UserId id, const std::string& profile) const {
    const auto* user = context_.directory.find(id);
    const auto groups =
        user == nullptr ? std::vector<std::string>{} : context_.directory.group_names_of(*user);
    const auto policy = policy_for(context_.options.cull, profile, groups);
    if (policy.max_age.count() == 0) return std::nullopt;
    return policy.max_age + policy.extension * policy.max_extensions;
}

// With leases of a length that one counts, for nobody renews it while somebody waits.
std::optional<seconds> GpuQueue::asked_length_of(UserId id, const std::string& profile) const {
    const auto longest = length_of(id, profile);
    const auto lease = context_.options.gpu.lease.length;
    if (lease.count() == 0) return longest;
    return std::min(lease, longest.value_or(lease));
}

gpu::QueueRequest GpuQueue::request_of(const Ask& ask, gpu::EntryId id, Timestamp enqueued) const {
    gpu::QueueRequest request;
    request.id = id;
    request.asker = asker_of(ask.user, ask.project);
    request.wish = ask.wish;
    request.priority = ask.priority;
    request.length = asked_length_of(ask.user, ask.profile);
    request.enqueued = enqueued;
    request.profile = ask.profile;
    request.preemptible = ask.preemptible;
    request.wait = true;  // the hub refuses by itself
    if (has_reserved(request)) request.priority += kReservedClass;
    return request;
}

gpu::Holding GpuQueue::holding_of(const store::LeaseRow& row) const {
    gpu::Holding lease;
    lease.id = row.id;
    lease.devices = row.devices;
    lease.sharing = row.exclusive ? gpu::Sharing::exclusive : gpu::Sharing::shared;
    lease.begin = row.created;
    lease.deadline = row.expires_at;
    lease.started = row.state != store::LeaseState::reserved && row.state != store::LeaseState::bound;
    if (!row.user) return lease;
    lease.asker = asker_of(*row.user, row.project);
    if (context_.options.gpu.lease.length.count() == 0) lease.deadline.reset();
    lease.profile = row.profile;
    const auto server = row.server ? context_.servers.find(*row.server) : nullptr;
    if (!server) return lease;
    if (lease.profile.empty()) lease.profile = server->row.profile;
    for (const auto& profile : context_.options.profiles) {
        if (profile.name != lease.profile) continue;
        lease.priority = profile.priority;
        lease.preemptible = profile.preemptible;
    }
    if (const auto length = length_of(*row.user, lease.profile)) {
        const auto end = row.created + *length;
        lease.deadline = std::min(end, lease.deadline.value_or(end));
    }
    return lease;
}

// As far as quotas count what is over.
gpu::Holding GpuQueue::past_holding_of(const store::UsageIntervalRow& interval) const {
    gpu::Holding lease;
    lease.id = interval.lease;
    lease.asker = asker_of(*interval.user, interval.project);
    lease.devices = {interval.device};
    lease.begin = interval.begin;
    return lease;
}

Timestamp::duration GpuQueue::remembers(const config::GpuOptions& options) {
    auto longest = 4 * options.queue.half_life;
    for (const auto& quota : options.quotas) {
        if (quota.gpu_hours) longest = std::max(longest, quota.window);
    }
    return longest;
}

std::vector<DeviceUuid> GpuQueue::matching(const gpu::Wish& wish) const {
    const auto& state = scheduler_.state();
    const auto shape = state.shape_of(wish);
    std::vector<DeviceUuid> devices;
    for (std::size_t at = 0; at < state.devices.size(); ++at) {
        if (shape->matching.test(at)) devices.push_back(state.devices[at].uuid);
    }
    return devices;
}

std::vector<gpu::ScheduledDevice> GpuQueue::scheduled_devices() {
    const auto now = std::chrono::steady_clock::now();
    std::vector<gpu::ScheduledDevice> devices;
    for (const auto& status : context_.inventory.devices()) {
        gpu::ScheduledDevice device;
        device.uuid = status.row.uuid;
        device.pool = gpu::pool_of(context_.options.gpu, status.row);
        device.model = status.row.name;
        device.memory.count = status.row.memory_bytes;
        device.capacity = static_cast<std::uint32_t>(status.row.capacity);
        device.eligible = status.eligible();
        if (status.row.cordoned)
            device.unavailable = "taken out by an administrator";
        else if (!device.eligible)
            device.unavailable =
                status.health_detail.empty() ? std::string(name_of(status.health)) : status.health_detail;
        device.by_name_only = status.facade_only;
        if (const auto& reading = status.reading) {
            const auto load = reading->utilisation_percent.value_or(0);
            device.load_percent = loads_.see(device.uuid, load, now);
            if (reading->memory_bytes > 0)
                device.memory_percent =
                    static_cast<std::uint32_t>(100 * reading->used_bytes.value_or(0) / reading->memory_bytes);
        }
        devices.push_back(std::move(device));
    }
    gpu::set_links(devices, context_.inventory.devices());
    for (const auto& use : context_.inventory.external()) {
        for (const auto& uuid : use.devices) {
            const auto at = std::find_if(
                devices.begin(), devices.end(), [&](const auto& device) { return device.uuid == uuid; });
            if (at != devices.end()) ++at->external;
        }
    }
    return devices;
}

}  // namespace berth::hub
