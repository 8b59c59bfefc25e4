// What devices exist and how they are: configuration, store rows and the agent's readings, joined by UUID.
// Pure: the hub hands in what it read and commits the rows that come back. Hub strand only.
//
// A device keeps its position for ever (it is the tie order of the ledger): stored devices as stored, new
// ones after them in the order of the configuration, then by PCI bus id. A device that is named in the
// configuration and was never seen by NVML is taken at its word; one that NVML showed and no longer shows is
// gone: not given out, but kept while it is leased. Silence of the agent changes no eligibility (gpu.md E.8);
// a driver that says no does.
#pragma once

#include "base/ids.hpp"
#include "base/units.hpp"
#include "config/options.hpp"
#include "gpu/agent_report.hpp"
#include "store/rows.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace berth::gpu {

enum class Health {
    healthy,
    suspect,  // two starts in ten minutes did not show it inside (gpu.md E.8): not given out for ten minutes
    unhealthy,  // NVML reports a fault
    gone,       // NVML answers and does not show it, or there is no driver any more
};
std::string_view name_of(Health health);

struct DeviceStatus {
    store::DeviceRow row;
    std::string path;         // of the device node; from the configuration, or /dev/nvidia<minor>; "" unknown
    bool configured = false;  // named in gpu.devices
    bool facade_only = false;  // known only because the allocator façade was populated with it
    Health health = Health::healthy;
    std::string health_detail;             // why it is not healthy, for the board
    std::optional<DeviceReading> reading;  // the last one NVML gave; old when the inventory is stale

    bool eligible() const { return health == Health::healthy && !row.cordoned; }
};

// Something that is none of ours and uses devices of this machine: a container that somebody started by hand,
// or a process.
struct ExternalUse {
    std::string name;
    std::vector<DeviceUuid> devices;
    bool operator==(const ExternalUse&) const = default;
};

// Device rows on their way to the store (gpu/device_rows.hpp writes them).
struct RowChanges {
    std::vector<store::DeviceRow> upserts;
    std::vector<DeviceUuid> removals;
    std::uint64_t revision = 0;  // of Inventory, when they were made
    bool empty() const { return upserts.empty() && removals.empty(); }
};

class Inventory {
public:
    // `stored`: the rows of store::Snapshot. Call take_changed_rows() next, for devices that are new or
    // different.
    Inventory(config::GpuOptions options, std::vector<store::DeviceRow> stored);

    // From the agent client: what it read, or that it has fallen silent since then.
    void apply(const AgentReport& report, Timestamp now);
    void agent_silent(Timestamp now);

    // Rows to upsert in the next commit; emptied by the call. The hub calls it after every change here.
    std::vector<store::DeviceRow> take_changed_rows();
    // The same together with the rows of devices that were dropped.
    RowChanges take_changes();
    // They were taken or planned, but the commit failed: they are taken again next time.
    void not_written(const RowChanges& changes);

    // In device order, gone and cordoned ones included.
    const std::vector<DeviceStatus>& devices() const { return devices_; }
    const DeviceStatus* find(const DeviceUuid& uuid) const;
    // Some device is there (used to hide everything about GPUs where there is none).
    bool any() const { return !devices_.empty(); }

    // Since when the readings are old: the agent is silent or NVML refuses. Nothing when they are fresh, or
    // when there is no agent.
    std::optional<Timestamp> stale_since() const { return stale_since_; }
    // The last error the agent told, until a snapshot follows; for the board and `berth doctor`.
    const std::optional<AgentError>& agent_error() const { return agent_error_; }
    std::string_view driver_version() const { return driver_version_; }

    // What the backend and the readings said last of foreign users. Leases::sync() follows.
    void set_external(std::vector<ExternalUse> uses) { external_ = std::move(uses); }
    const std::vector<ExternalUse>& external() const { return external_; }
    // The devices meant by a UUID, an index, a device node or "*" (spawn::Foreign); unknown ones are left
    // out.
    std::vector<DeviceUuid> meant_by(const std::vector<std::string>& claims) const;
    bool simulated() const { return options_.simulated; }

    // An administrator's switch: a cordoned device keeps its leases and gets no new one. Back in service, a
    // suspect is trusted again. plan_cordon()
    // changes nothing that anybody sees; the caller commits the row, calls apply_cordon() and then commits
    // take_changes(), which is empty unless somebody else's row of the device overtook this one. Error:
    // unknown_device.
    Result<RowChanges> plan_cordon(const DeviceUuid& uuid, bool cordoned);
    void apply_cordon(const RowChanges& durable);
    // A container was started and did not show this device; twice in ten minutes makes it suspect.
    void note_verify_failure(const DeviceUuid& uuid, Timestamp now);
    // Suspects whose time is over are healthy again. True when something changed: then Leases::sync()
    // follows. Costs nothing while there are none, and needs no agent.
    bool expire_suspicions(Timestamp now);

    // The rows that add_facade_devices() and drop_facade_device() will lead to; changes nothing that anybody
    // sees.
    RowChanges plan_facade_devices(const std::vector<DeviceUuid>& uuids, std::vector<DeviceUuid> removals);
    // The façade's populate: devices nobody else knows, given only to the façade. Known ones are left as they
    // are.
    void add_facade_devices(const std::vector<DeviceUuid>& uuids);
    // Forgets a device that only the façade knew; its row goes with take_changes().
    void drop_facade_device(const DeviceUuid& uuid);
    // A plan is durable and memory was changed: what memory says differently is to be written again, the rest
    // is done.
    void settle(const RowChanges& durable);

private:
    struct Suspicion {
        Timestamp last_failure{};
        bool active = false;
    };
    DeviceStatus& add(const DeviceUuid& uuid, std::string source);  // at the end of the order
    DeviceStatus* find_mutable(const DeviceUuid& uuid);
    void take_configuration();
    void take_reading(const DeviceReading& reading);
    void apply_snapshot(const AgentSnapshot& snapshot);
    void apply_error(const AgentError& error);
    void trust(DeviceStatus& device);
    void changed(const DeviceStatus& device) { changed_.push_back(device.row.uuid); }
    store::DeviceRow new_row(const DeviceUuid& uuid, std::string source, std::int64_t position) const;

    config::GpuOptions options_;
    std::vector<DeviceStatus> devices_;  // by position
    std::unordered_map<DeviceUuid, Suspicion> suspicions_;
    std::vector<DeviceUuid> changed_;
    std::uint64_t revision_ = 0;  // counts how often rows were handed out to be written
    std::int64_t next_position_ = 0;
    std::optional<Timestamp> stale_since_;
    std::optional<AgentError> agent_error_;
    std::string driver_version_;
    std::vector<ExternalUse> external_;
};

}  // namespace berth::gpu
