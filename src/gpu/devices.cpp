#include "gpu/devices.hpp"

#include "gpu/ledger.hpp"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

namespace berth::gpu {
namespace {

constexpr std::chrono::minutes kSuspicion{10};

bool says_no_driver(const AgentError& error) {
    return error.reason == "library_missing" || error.reason == "driver_not_loaded" ||
           error.reason == "version_mismatch";
}

bool same(const store::DeviceRow& a, const store::DeviceRow& b) {
    const auto members = [](const store::DeviceRow& row) {
        return std::tie(
            row.uuid,
            row.position,
            row.name,
            row.memory_bytes,
            row.pci_bus_id,
            row.source,
            row.capacity,
            row.cordoned);
    };
    return members(a) == members(b);
}

template <class T>
bool assign(T& target, const T& value) {
    if (target == value) return false;
    target = value;
    return true;
}

}  // namespace

std::string_view name_of(Health health) {
    switch (health) {
        case Health::healthy:
            return "healthy";
        case Health::suspect:
            return "suspect";
        case Health::unhealthy:
            return "unhealthy";
        case Health::gone:
            return "gone";
    }
    return "unknown";
}

Inventory::Inventory(config::GpuOptions options, std::vector<store::DeviceRow> stored)
    : options_(std::move(options)) {
    std::sort(
        stored.begin(), stored.end(), [](const auto& a, const auto& b) { return a.position < b.position; });
    for (auto& row : stored) {
        next_position_ = row.position + 1;
        DeviceStatus& device = devices_.emplace_back();
        device.facade_only = row.source == "facade";
        device.row = std::move(row);
        if (assign(device.row.capacity, std::int64_t{options_.oversubscription})) changed(device);
    }
    take_configuration();
}

store::DeviceRow Inventory::new_row(const DeviceUuid& uuid, std::string source, std::int64_t position) const {
    store::DeviceRow row;
    row.uuid = uuid;
    row.source = std::move(source);
    row.position = position;
    row.capacity = options_.oversubscription;
    return row;
}

DeviceStatus& Inventory::add(const DeviceUuid& uuid, std::string source) {
    DeviceStatus& device = devices_.emplace_back();
    device.row = new_row(uuid, std::move(source), next_position_++);
    changed(device);
    return device;
}

DeviceStatus* Inventory::find_mutable(const DeviceUuid& uuid) {
    const auto at = std::find_if(
        devices_.begin(), devices_.end(), [&](const DeviceStatus& each) { return each.row.uuid == uuid; });
    return at == devices_.end() ? nullptr : &*at;
}

const DeviceStatus* Inventory::find(const DeviceUuid& uuid) const {
    const auto at = std::find_if(
        devices_.begin(), devices_.end(), [&](const DeviceStatus& each) { return each.row.uuid == uuid; });
    return at == devices_.end() ? nullptr : &*at;
}

void Inventory::take_configuration() {
    for (const auto& named : options_.devices) {
        DeviceStatus* device = find_mutable(DeviceUuid(named.uuid));
        if (!device) device = &add(DeviceUuid(named.uuid), "config");
        device->configured = true;
        device->facade_only = false;
        bool differs = assign(device->row.source, std::string("config"));
        if (!named.name.empty()) differs |= assign(device->row.name, named.name);
        if (named.memory) differs |= assign(device->row.memory_bytes, named.memory->count);
        if (!named.path.empty()) device->path = named.path;
        if (differs) changed(*device);
    }
    for (DeviceStatus& device : devices_) {
        if (device.configured || device.facade_only) continue;
        if (device.row.source == "config" || !options_.agent) {
            device.health = Health::gone;
            device.health_detail = options_.agent
                                       ? "It is no longer in gpu.devices, and NVML has not shown it."
                                       : "It is not in gpu.devices, and gpu.agent is off.";
        }
    }
}

void Inventory::apply(const AgentReport& report, Timestamp now) {
    if (const auto* snapshot = std::get_if<AgentSnapshot>(&report)) {
        stale_since_.reset();
        agent_error_.reset();
        apply_snapshot(*snapshot);
    } else {
        agent_silent(now);
        apply_error(std::get<AgentError>(report));
    }
    (void)expire_suspicions(now);
}

void Inventory::agent_silent(Timestamp now) {
    if (!stale_since_) stale_since_ = now;
}

void Inventory::apply_snapshot(const AgentSnapshot& snapshot) {
    driver_version_ = snapshot.driver_version;
    std::vector<const DeviceReading*> readings;
    readings.reserve(snapshot.devices.size());
    for (const auto& reading : snapshot.devices)
        readings.push_back(&reading);
    std::sort(readings.begin(), readings.end(), [](const auto* a, const auto* b) {
        return std::tie(a->pci_bus_id, a->uuid) < std::tie(b->pci_bus_id, b->uuid);
    });
    for (const DeviceReading* reading : readings)
        take_reading(*reading);
    for (DeviceStatus& device : devices_) {
        const bool seen = std::any_of(readings.begin(), readings.end(), [&](const auto* each) {
            return each->uuid == device.row.uuid.value;
        });
        const bool only_by_word = device.facade_only || (device.configured && !device.reading);
        if (seen || only_by_word) continue;
        device.health = Health::gone;
        device.health_detail = "NVML no longer shows it.";
    }
}

void Inventory::take_reading(const DeviceReading& reading) {
    DeviceStatus* device = find_mutable(DeviceUuid(reading.uuid));
    if (!device) device = &add(DeviceUuid(reading.uuid), "nvml");
    bool differs = !device->configured && assign(device->row.source, std::string("nvml"));
    device->facade_only = false;
    // What the configuration says of a device wins; NVML fills in the rest.
    const auto named = std::find_if(options_.devices.begin(), options_.devices.end(), [&](const auto& each) {
        return each.uuid == reading.uuid;
    });
    const bool configured = named != options_.devices.end();
    if (!reading.name.empty() && !(configured && !named->name.empty())) {
        differs |= assign(device->row.name, reading.name);
    }
    if (reading.memory_bytes > 0 && !(configured && named->memory)) {
        differs |= assign(device->row.memory_bytes, reading.memory_bytes);
    }
    if (!reading.pci_bus_id.empty()) differs |= assign(device->row.pci_bus_id, reading.pci_bus_id);
    if (reading.minor && !(configured && !named->path.empty())) {
        device->path = "/dev/nvidia" + std::to_string(*reading.minor);
    }
    device->reading = reading;
    device->health_detail = reading.fault;
    device->health = reading.fault.empty() ? Health::healthy : Health::unhealthy;
    const auto suspicion = suspicions_.find(device->row.uuid);
    if (device->health == Health::healthy && suspicion != suspicions_.end() && suspicion->second.active) {
        device->health = Health::suspect;
        device->health_detail = "Two starts did not find it inside their container.";
    }
    if (differs) changed(*device);
}

void Inventory::apply_error(const AgentError& error) {
    agent_error_ = error;
    if (!says_no_driver(error)) return;
    for (DeviceStatus& device : devices_) {
        const bool nvml_vouched = device.reading || (device.row.source == "nvml" && !device.configured);
        if (!nvml_vouched) continue;
        device.health = Health::gone;
        device.health_detail = error.message;
    }
}

std::vector<store::DeviceRow> Inventory::take_changed_rows() {
    auto changes = take_changes();
    changed_ = std::move(changes.removals);  // these wait for somebody who takes them too
    return std::move(changes.upserts);
}

RowChanges Inventory::take_changes() {
    RowChanges changes;
    for (const DeviceStatus& device : devices_) {
        if (std::erase(changed_, device.row.uuid) > 0) changes.upserts.push_back(device.row);
    }
    changes.removals = std::exchange(changed_, {});
    if (!changes.empty()) changes.revision = ++revision_;
    return changes;
}

void Inventory::not_written(const RowChanges& changes) {
    for (const auto& row : changes.upserts)
        changed_.push_back(row.uuid);
    changed_.insert(changed_.end(), changes.removals.begin(), changes.removals.end());
}

Result<RowChanges> Inventory::plan_cordon(const DeviceUuid& uuid, bool cordoned) {
    const DeviceStatus* device = find(uuid);
    if (!device) return Error{DeviceErrc::unknown_device, "There is no GPU " + uuid.value + "."};
    RowChanges plan{.upserts = {device->row}, .removals = {}, .revision = ++revision_};
    plan.upserts[0].cordoned = cordoned;
    return plan;
}

// Somebody has looked after it: earlier failures count no more.
void Inventory::trust(DeviceStatus& device) {
    suspicions_.erase(device.row.uuid);
    if (device.health != Health::suspect) return;
    device.health = Health::healthy;
    device.health_detail.clear();
}

void Inventory::apply_cordon(const RowChanges& durable) {
    for (const auto& row : durable.upserts) {
        DeviceStatus* device = find_mutable(row.uuid);
        if (device == nullptr) continue;
        device->row.cordoned = row.cordoned;
        if (!row.cordoned) trust(*device);
    }
    settle(durable);
}

// Rows are written in the order in which they were handed out. So when nobody was handed any since the plan,
// the store has what the plan says; otherwise a row made from older memory may have come after it.
void Inventory::settle(const RowChanges& durable) {
    const bool last = durable.revision == revision_;
    for (const auto& row : durable.upserts) {
        const DeviceStatus* device = find(row.uuid);
        std::erase(changed_, row.uuid);
        if (!last || !device || !same(device->row, row)) changed_.push_back(row.uuid);
    }
    for (const auto& uuid : durable.removals) {
        std::erase(changed_, uuid);
        if (!last || find(uuid)) changed_.push_back(uuid);
    }
}

void Inventory::note_verify_failure(const DeviceUuid& uuid, Timestamp now) {
    DeviceStatus* device = find_mutable(uuid);
    if (!device) return;
    auto& suspicion = suspicions_[uuid];
    suspicion.active = suspicion.active ||
                       (suspicion.last_failure != Timestamp{} && now - suspicion.last_failure < kSuspicion);
    suspicion.last_failure = now;
    if (suspicion.active && device->health == Health::healthy) {
        device->health = Health::suspect;
        device->health_detail = "Two starts did not find it inside their container.";
    }
}

bool Inventory::expire_suspicions(Timestamp now) {
    bool any_ended = false;
    for (auto at = suspicions_.begin(); at != suspicions_.end();) {
        if (now - at->second.last_failure < kSuspicion) {
            ++at;
            continue;
        }
        DeviceStatus* device = find_mutable(at->first);
        if (device && device->health == Health::suspect) {
            device->health = Health::healthy;
            device->health_detail.clear();
            any_ended = true;
        }
        at = suspicions_.erase(at);
    }
    return any_ended;
}

std::vector<DeviceUuid> Inventory::meant_by(const std::vector<std::string>& claims) const {
    std::vector<DeviceUuid> devices;
    std::uint32_t position = 0;
    for (const DeviceStatus& device : devices_) {
        if (device.facade_only) continue;
        const auto index =
            std::to_string(device.reading && device.reading->index ? *device.reading->index : position);
        ++position;
        const bool meant = std::any_of(claims.begin(), claims.end(), [&](const std::string& claim) {
            return claim == "*" || claim == device.row.uuid.value || claim == index ||
                   (!device.path.empty() && claim == device.path);
        });
        if (meant) devices.push_back(device.row.uuid);
    }
    return devices;
}

RowChanges Inventory::plan_facade_devices(
    const std::vector<DeviceUuid>& uuids, std::vector<DeviceUuid> removals) {
    RowChanges plan{.upserts = {}, .removals = std::move(removals), .revision = ++revision_};
    std::int64_t position = next_position_;
    for (const auto& uuid : uuids) {
        if (!find(uuid)) plan.upserts.push_back(new_row(uuid, "facade", position++));
    }
    return plan;
}

void Inventory::add_facade_devices(const std::vector<DeviceUuid>& uuids) {
    for (const auto& uuid : uuids) {
        if (find(uuid)) continue;
        add(uuid, "facade").facade_only = true;
    }
}

void Inventory::drop_facade_device(const DeviceUuid& uuid) {
    const auto dropped = std::erase_if(
        devices_, [&](const DeviceStatus& each) { return each.facade_only && each.row.uuid == uuid; });
    if (dropped == 0) return;
    suspicions_.erase(uuid);
    changed_.push_back(uuid);
}

}  // namespace berth::gpu
