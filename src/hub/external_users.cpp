#include "hub/external_users.hpp"

#include "obs/log.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

std::string container_of(const spawn::SpawnState& state) {
    const auto* object = state.if_object();
    return object == nullptr ? std::string() : string_at(*object, "object_id").value_or("");
}

bool is_ours(const gpu::GpuProcess& process, const Known& known) {
    return process.server.starts_with(known.instance + "/") || known.own.contains(process.container);
}

const spawn::Foreign* container_in(const Known& known, const std::string& id) {
    const auto found = std::ranges::find(known.foreign, id, &spawn::Foreign::id);
    return id.empty() || found == known.foreign.end() ? nullptr : &*found;
}

// "python3, process 4711 of ann in container training"
std::string name_of(const gpu::GpuProcess& process, const spawn::Foreign* container) {
    std::string name = process.name.empty() ? "process " : process.name + ", process ";
    name += std::to_string(process.pid);
    if (!process.user.empty()) name += " of " + process.user;
    if (container != nullptr)
        name += " in container " + container->name;
    else if (!process.container.empty())
        name += " in container " + process.container.substr(0, 12);
    return name;
}

}  // namespace

std::vector<Outsider> outsiders(const gpu::Inventory& inventory, const Known& known) {
    std::map<std::uint32_t, Outsider> found;
    for (const auto& device : inventory.devices()) {
        if (!device.reading) continue;
        for (const auto& process : device.reading->processes) {
            const bool hidden = process.name.empty() && process.container.empty();
            if (hidden || is_ours(process, known)) continue;
            const auto* container = container_in(known, process.container);
            if (container != nullptr) {
                const auto given = inventory.meant_by(container->devices);
                if (std::ranges::find(given, device.row.uuid) != given.end()) continue;
            }
            auto& outsider = found[process.pid];
            outsider.pid = process.pid;
            outsider.use.name = name_of(process, container);
            auto& devices = outsider.use.devices;  // NVML may name a process twice on a device
            if (devices.empty() || devices.back() != device.row.uuid) devices.push_back(device.row.uuid);
        }
    }
    std::vector<Outsider> all;
    for (auto& [pid, outsider] : found)
        all.push_back(std::move(outsider));
    return all;
}

Known ExternalUsers::known() const {
    Known known{context_.instance, listed_, foreign_};
    for (const auto& server : context_.servers.all()) {
        if (!server->active()) continue;
        if (auto id = container_of(server->row.spawn_state); !id.empty()) known.own.insert(std::move(id));
    }
    return known;
}

void ExternalUsers::take_listing(const spawn::Listing& listing) {
    foreign_ = listing.foreign;
    listed_.clear();
    for (const auto& found : listing.found)
        if (auto id = container_of(found.endpoint.state); !id.empty()) listed_.insert(std::move(id));
    show();
}

// Counted from the second reading on: the first may be of a server whose row does not yet, or no longer, say
// what it runs in. A device that the façade has promised is used by whoever asked it, and counted as leased.
void ExternalUsers::take_readings() {
    if (context_.inventory.simulated() || context_.inventory.stale_since()) return;
    const auto before = std::exchange(seen_, outsiders(context_.inventory, known()));
    processes_.clear();
    for (auto each : seen_) {
        if (std::ranges::find(before, each.pid, &Outsider::pid) == before.end()) continue;
        std::erase_if(each.use.devices, [&](const auto& uuid) {
            const auto leases = context_.leases.on_device(uuid);
            return std::ranges::any_of(leases, [](const auto* lease) { return !lease->server; });
        });
        if (!each.use.devices.empty()) processes_.push_back(std::move(each));
    }
    show();
}

void ExternalUsers::show() {
    std::vector<gpu::ExternalUse> uses;
    for (const auto& each : foreign_) {
        auto devices = context_.inventory.meant_by(each.devices);
        if (!devices.empty()) uses.push_back({each.name, std::move(devices)});
    }
    const auto containers = uses.size();
    for (const auto& each : processes_)
        uses.push_back(each.use);
    if (uses == context_.inventory.external()) return;
    log::info("gpu.external_use", {{"containers", containers}, {"processes", processes_.size()}});
    context_.inventory.set_external(std::move(uses));
    context_.leases.sync(context_.inventory);
}

}  // namespace berth::hub
