// Servers, devices, leases, the queue, usage and audit.
#include "store/impl/texts.hpp"
#include "store/impl/transaction.hpp"
#include "store/queries.hpp"

namespace berth::store {

void insert(Transaction& tx, const ServerRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into servers (id, user_id, name, display_name, user_options, lifecycle, generation, spawner,
           spawn_plan, spawn_state, target_url, profile, started, last_activity, failure, stopped_because,
           keep_count, kept_until) values (:id, :user_id, :name, :display_name, :user_options, :lifecycle,
           :generation, :spawner, :spawn_plan, :spawn_state, :target_url, :profile, :started, :last_activity,
           :failure, :stopped_because, :keep_count, :kept_until))",
        {row.id,
         row.user,
         row.name,
         row.display_name,
         json::serialize(row.user_options),
         name_of(row.lifecycle),
         row.generation,
         row.spawner,
         json::serialize(row.spawn_plan),
         json::serialize(row.spawn_state),
         row.target_url,
         row.profile,
         row.started,
         row.last_activity,
         row.failure,
         row.stopped_because,
         row.keep_count,
         row.kept_until});
}

void update(Transaction& tx, const ServerRow& row) {
    tx.execute(
        R"(update servers set name = :name, display_name = :display_name, user_options = :user_options,
           lifecycle = :lifecycle, generation = :generation, spawner = :spawner, spawn_plan = :spawn_plan,
           spawn_state = :spawn_state, target_url = :target_url, profile = :profile, started = :started,
           last_activity = :last_activity, failure = :failure, stopped_because = :stopped_because,
           keep_count = :keep_count, kept_until = :kept_until where id = :id)",
        {row.name,
         row.display_name,
         json::serialize(row.user_options),
         name_of(row.lifecycle),
         row.generation,
         row.spawner,
         json::serialize(row.spawn_plan),
         json::serialize(row.spawn_state),
         row.target_url,
         row.profile,
         row.started,
         row.last_activity,
         row.failure,
         row.stopped_because,
         row.keep_count,
         row.kept_until,
         row.id});
}

void remove_server(Transaction& tx, ServerId server) {
    tx.execute(
        "delete from tokens where client_id in (select identifier from oauth_clients where server_id = :id)",
        {server});
    tx.execute("delete from servers where id = :id", {server});
}

void touch_server(Transaction& tx, ServerId server, Timestamp last_activity) {
    tx.execute(
        R"(update servers set last_activity = :at where id = :id
           and (last_activity is null or last_activity < :newer))",
        {last_activity, server, last_activity});
}

void move_server(Transaction& tx, ServerId server, const std::string& target_url) {
    tx.execute(
        "update servers set target_url = :url where id = :id and lifecycle = 'ready'", {target_url, server});
}

void keep_server(Transaction& tx, ServerId server, std::int64_t count, Timestamp until) {
    tx.execute(
        "update servers set keep_count = :count, kept_until = :until where id = :id", {count, until, server});
}

void upsert(Transaction& tx, const DeviceRow& row) {
    tx.execute(
        R"(insert into devices (uuid, device_order, name, memory_bytes, pci_bus_id, source, capacity, cordoned)
           values (:uuid, :device_order, :name, :memory_bytes, :pci_bus_id, :source, :capacity, :cordoned)
           on conflict (uuid) do update set device_order = excluded.device_order, name = excluded.name,
           memory_bytes = excluded.memory_bytes, pci_bus_id = excluded.pci_bus_id, source = excluded.source,
           capacity = excluded.capacity, cordoned = excluded.cordoned)",
        {row.uuid,
         row.position,
         row.name,
         static_cast<std::int64_t>(row.memory_bytes),
         row.pci_bus_id,
         row.source,
         row.capacity,
         row.cordoned});
}

void remove_device(Transaction& tx, const DeviceUuid& uuid) {
    tx.execute("delete from devices where uuid = :uuid", {uuid});
}

namespace {

// A live lease refers to the device's mode; a device that somebody holds in the other mode refuses the change
// of it (m0001_initial.cpp).
void hold(Transaction& tx, const LeaseRow& row) {
    const std::optional<std::string> mode =
        row.state == LeaseState::released
            ? std::nullopt
            : std::optional<std::string>(row.exclusive ? "exclusive" : "shared");
    std::int64_t order = 0;
    for (const auto& device : row.devices) {
        if (mode)
            tx.execute(
                R"(insert into device_holds (device_uuid, hold_mode) values (:uuid, :mode)
                   on conflict (device_uuid) do update set hold_mode = excluded.hold_mode)",
                {device, *mode});
        tx.execute(
            R"(insert into lease_devices (lease_id, device_uuid, device_order, live_mode)
               values (:lease, :uuid, :device_order, :mode))",
            {row.id, device, order++, mode});
    }
}

}  // namespace

void insert(Transaction& tx, const LeaseRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into leases (id, user_id, server_id, generation, exclusive, state, container, created,
           expires_at, released_at, end_reason, profile, project) values (:id, :user_id, :server_id,
           :generation, :exclusive, :state, :container, :created, :expires_at, :released_at, :end_reason,
           :profile, :project))",
        {row.id,
         row.user,
         row.server,
         row.generation,
         row.exclusive,
         name_of(row.state),
         row.container,
         row.created,
         row.expires_at,
         row.released_at,
         row.end_reason,
         row.profile,
         row.project});
    hold(tx, row);
}

void update(Transaction& tx, const LeaseRow& row) {
    tx.execute(
        R"(update leases set user_id = :user_id, server_id = :server_id, generation = :generation,
           exclusive = :exclusive, state = :state, container = :container, expires_at = :expires_at,
           released_at = :released_at, end_reason = :end_reason where id = :id)",
        {row.user,
         row.server,
         row.generation,
         row.exclusive,
         name_of(row.state),
         row.container,
         row.expires_at,
         row.released_at,
         row.end_reason,
         row.id});
    tx.execute("delete from lease_devices where lease_id = :id", {row.id});
    hold(tx, row);
}

void move_lease_end(Transaction& tx, LeaseId id, Timestamp expires_at) {
    tx.execute(
        "update leases set expires_at = :expires_at where id = :id and released_at is null",
        {expires_at, id});
}

void insert(Transaction& tx, const QueueEntryRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into queue_entries (id, user_id, server_id, request, priority, enqueued)
           values (:id, :user_id, :server_id, :request, :priority, :enqueued))",
        {row.id, row.user, row.server, json::serialize(row.request), row.priority, row.enqueued});
}

void remove_queue_entries(Transaction& tx, ServerId server) {
    tx.execute("delete from queue_entries where server_id = :server", {server});
}

void insert(Transaction& tx, const UsageIntervalRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into usage_intervals (id, lease_id, device_uuid, user_id, share, begin_at, end_at, end_reason)
           values (:id, :lease, :device, :user_id, :share, :begin_at, :end_at, :end_reason))",
        {row.id, row.lease, row.device, row.user, row.share, row.begin, row.end, row.end_reason});
}

void end_lease(Transaction& tx, const LeaseRow& row) {
    update(tx, row);
    tx.execute(
        "update usage_intervals set end_at = :end_at, end_reason = :reason where lease_id = :id and end_at "
        "is null",
        {row.released_at, row.end_reason, row.id});
    // The engine may know an earlier end than the last reading: nobody used more than they held.
    tx.execute(
        R"(update usage_intervals set used_seconds = (end_at - begin_at) / 1000000.0
           where lease_id = :id and used_seconds > (end_at - begin_at) / 1000000.0)",
        {row.id});
}

void insert(Transaction& tx, const AuditRow& row) {
    tx.execute(
        R"(insert into audit (sequence, at, principal, action, target, permit, result, detail)
           values (:sequence, :at, :principal, :action, :target, :permit, :result, :detail))",
        {tx.next_audit(), row.at, row.principal, row.action, row.target, row.permit, row.result, row.detail});
}

std::vector<AuditRow> audit_records(Transaction& tx, const AuditFilter& filter) {
    std::vector<AuditRow> rows;
    tx.query(
        R"(select at, principal, action, target, permit, result, detail from audit
           where (:any_principal = 1 or principal = :principal) and (:any_target = 1 or target in (:target, :default_server))
             and (:any_action = 1 or action = :action or substr(action, 1, :length) = :stem) and at >= :since
           order by sequence desc limit :count)",
        "issssss",
        {filter.principal.empty(),
         filter.principal,
         filter.target.empty(),
         filter.target,
         filter.target + "/",
         filter.action.empty(),
         filter.action,
         static_cast<std::int64_t>(filter.action.size()) + 1,
         filter.action + ".",
         filter.since,
         filter.limit},
        [&](const RowView& row) {
            rows.push_back(
                {row.time(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), row.text(6)});
        });
    return rows;
}

}  // namespace berth::store
