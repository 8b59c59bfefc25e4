#include "hub/gpu_history.hpp"

#include "obs/log.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

constexpr auto kTick = 5s;
constexpr auto kFlush = 60s;
constexpr auto kForget = 1h;
// A training run pauses between steps: it is idle when it did not compute for so long.
constexpr auto kIdleAfter = 60s;

double seconds_between(Timestamp from, Timestamp to) {
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace

DeviceUse use_of(const gpu::DeviceStatus& device, const DeviceFacts& facts) {
    if (device.health != gpu::Health::healthy) return DeviceUse::sick;
    if (facts.leased) {
        if (!facts.working || !facts.computing) return DeviceUse::held;
        return *facts.computing ? DeviceUse::busy : DeviceUse::idle;
    }
    if (facts.external) return DeviceUse::external;
    return device.row.cordoned ? DeviceUse::cordoned : DeviceUse::free;
}

GpuHistory::GpuHistory(Context& context)
    : context_(context), gap_(3 * context.options.gpu.poll_interval + 20s), timeline_(gap_) {}

awaitable<Result<void>> GpuHistory::restore() {
    std::vector<store::DeviceSampleRow> rows;
    store::Change query = [&rows, since = now_utc() - GpuTimeline::kKept](store::Transaction& t) {
        rows = store::device_samples(t, since);
    };
    BERTH_CO_CHECK(co_await context_.store.read(std::move(query)));
    timeline_.restore(rows);
    co_return Result<void>{};
}

DeviceFacts GpuHistory::facts_of(const gpu::DeviceStatus& device, Timestamp now) {
    DeviceFacts facts;
    for (const auto* lease : context_.leases.on_device(device.row.uuid)) {
        facts.leased = true;
        facts.working = facts.working || lease->state == store::LeaseState::active;
    }
    facts.external = std::ranges::any_of(context_.inventory.external(), [&](const auto& use) {
        return std::ranges::find(use.devices, device.row.uuid) != use.devices.end();
    });
    if (!device.reading || context_.inventory.stale_since()) return facts;
    const auto load = device.reading->utilisation_percent;
    if (!load) return facts;
    auto& busy_at = busy_at_[device.row.uuid];
    if (*load >= context_.options.cull.gpu_busy_percent) busy_at = now;
    facts.computing = busy_at != Timestamp{} && now - busy_at < kIdleAfter;
    return facts;
}

void GpuHistory::look(Timestamp now) {
    std::vector<DeviceLook> looks;
    const bool fresh = !context_.inventory.stale_since();
    for (const auto& device : context_.inventory.devices()) {
        DeviceLook seen;
        seen.device = device.row.uuid;
        seen.use = use_of(device, facts_of(device, now));
        if (fresh && device.reading && device.reading->utilisation_percent) {
            seen.utilisation = *device.reading->utilisation_percent / 100.0;
            seen.used_bytes = device.reading->used_bytes;
        }
        looks.push_back(std::move(seen));
    }
    timeline_.look(looks, now);
    looked_at_ = now;
}

double GpuHistory::joules_of(const gpu::DeviceReading& reading, const Meter& before, double passed) const {
    if (reading.energy_millijoules && before.energy_millijoules) {
        const bool grew = *reading.energy_millijoules >= *before.energy_millijoules;  // not after a reload
        if (grew)
            return static_cast<double>(*reading.energy_millijoules - *before.energy_millijoules) / 1000.0;
    }
    return reading.power_milliwatts.value_or(0) / 1000.0 * passed;
}

// Whoever held a device at the last reading and holds it now had it all the time between.
void GpuHistory::charge(Timestamp now) {
    const bool follows = read_at_ && now > *read_at_ && now - *read_at_ <= gap_;
    const double passed = follows ? seconds_between(*read_at_, now) : 0;
    std::set<Place> active;
    for (const auto& [id, lease] : context_.leases.all()) {
        if (lease.state != store::LeaseState::active || !context_.leases.is_durable(id)) continue;
        for (const auto& uuid : lease.devices) {
            const Place place{id, uuid};
            active.insert(place);
            const auto* device = context_.inventory.find(uuid);
            if (!follows || !active_.contains(place) || device == nullptr || !device->reading) continue;
            auto& use = uncharged_.try_emplace(place, store::LeaseUse{id, uuid, 0, 0, now}).first->second;
            use.used_seconds +=
                passed * std::min(1.0, device->reading->utilisation_percent.value_or(0) / 100.0);
            use.joules += joules_of(*device->reading, meters_[uuid], passed);
            use.until = now;
        }
    }
    active_ = std::move(active);
    for (const auto& device : context_.inventory.devices()) {
        if (device.reading) meters_[device.row.uuid].energy_millijoules = device.reading->energy_millijoules;
    }
    read_at_ = now;
}

void GpuHistory::on_gpu_readings(Timestamp now) {
    if (!context_.inventory.stale_since()) charge(now);
    look(now);
}

awaitable<Result<void>> GpuHistory::flush() {
    auto samples = timeline_.take_unwritten();
    auto uses = std::exchange(uncharged_, {});
    if (samples.empty() && uses.empty()) co_return Result<void>{};
    store::Change change = [samples, uses](store::Transaction& t) {
        for (const auto& sample : samples)
            store::upsert(t, sample);
        for (const auto& [place, use] : uses)
            store::add_usage(t, use);
    };
    auto written = co_await context_.store.commit(std::move(change));
    if (written) co_return Result<void>{};
    timeline_.not_written(samples);
    for (const auto& [place, use] : uses) {
        auto& kept = uncharged_.try_emplace(place, store::LeaseUse{use.lease, use.device, 0, 0, use.until})
                         .first->second;
        kept.used_seconds += use.used_seconds;
        kept.joules += use.joules;
    }
    co_return written.error();
}

awaitable<> GpuHistory::forget_old() {
    const auto oldest = now_utc() - GpuTimeline::kKept;
    timeline_.forget_before(oldest);
    store::Change change = [oldest](store::Transaction& t) { store::remove_device_samples(t, oldest); };
    auto removed = co_await context_.store.commit(std::move(change));
    if (!removed) log::warn("gpu_history.purge_delayed", {{"detail", removed.error().detail}});
}

awaitable<> GpuHistory::run() {
    auto next_flush = std::chrono::steady_clock::now() + kFlush;
    auto next_forget = std::chrono::steady_clock::now() + kFlush;
    const auto pause = std::max<seconds>(kTick, context_.options.gpu.poll_interval * 3 / 2);
    for (;;) {
        const auto now = now_utc();
        if (!looked_at_ || now < *looked_at_ || now - *looked_at_ >= pause - 1s) look(now);
        const auto steady = std::chrono::steady_clock::now();
        if (steady >= next_flush) {
            next_flush = steady + kFlush;
            auto written = co_await flush();
            if (!written) log::warn("gpu_history.write_delayed", {{"detail", written.error().detail}});
        }
        if (steady >= next_forget) {
            next_forget = steady + kForget;
            co_await forget_old();
        }
        co_await sleep_for(kTick);
    }
}

}  // namespace berth::hub
