#include "store/impl/load.hpp"

#include "store/impl/texts.hpp"
#include "store/impl/transaction.hpp"
#include "store/queries.hpp"

#include <unordered_map>

namespace berth::store {

namespace {

std::vector<UserRow> load_users(Connection& connection) {
    std::vector<UserRow> rows;
    connection.query(
        R"(select id, name, admin, created, last_activity, cookie_id, password_hash, user_info
           from users order by id)",
        "isiiisss",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.id<UserId>(0),
                 UserName(row.text(1)),
                 row.flag(2),
                 row.time(3),
                 row.optional_time(4),
                 row.text(5),
                 row.optional_text(6),
                 value_of_text(row.text(7), nullptr)});
        });
    return rows;
}

// Appends `member` of each (owner, member) pair to the owner's list.
template <class Owner, class Member>
void load_pairs(
    Connection& connection, const char* sql, std::vector<Owner>& owners, std::vector<Member> Owner::* list) {
    std::unordered_map<std::int64_t, Owner*> by_id;
    for (auto& owner : owners)
        by_id.emplace(number_of(owner.id), &owner);
    connection.query(sql, "ii", {}, [&](const RowView& row) {
        if (const auto found = by_id.find(row.integer(0)); found != by_id.end())
            (found->second->*list).push_back(row.id<Member>(1));
    });
}

std::vector<GroupRow> load_groups(Connection& connection) {
    std::vector<GroupRow> rows;
    connection.query(
        "select id, name, properties from groups order by id", "iss", {}, [&](const RowView& row) {
            rows.push_back(
                {row.id<GroupId>(0), GroupName(row.text(1)), value_of_text(row.text(2), json::object()), {}});
        });
    load_pairs(
        connection,
        "select group_id, user_id from group_members order by group_id, user_id",
        rows,
        &GroupRow::members);
    return rows;
}

std::vector<RoleRow> load_roles(Connection& connection) {
    std::vector<RoleRow> rows;
    connection.query(
        "select id, name, description, scopes, from_config from roles order by id",
        "isssi",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.id<RoleId>(0),
                 row.text(1),
                 row.text(2),
                 list_of_text(row.text(3)),
                 row.flag(4),
                 {},
                 {},
                 {}});
        });
    load_pairs(
        connection,
        "select role_id, user_id from role_users order by role_id, user_id",
        rows,
        &RoleRow::users);
    load_pairs(
        connection,
        "select role_id, group_id from role_groups order by role_id, group_id",
        rows,
        &RoleRow::groups);
    load_pairs(
        connection,
        "select role_id, service_id from role_services order by role_id, service_id",
        rows,
        &RoleRow::services);
    return rows;
}

std::vector<ServiceRow> load_services(Connection& connection) {
    std::vector<ServiceRow> rows;
    connection.query(
        "select id, name, admin, url, info, display, from_config, oauth_client_id from services order by id",
        "isissiis",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.id<ServiceId>(0),
                 ServiceName(row.text(1)),
                 row.flag(2),
                 row.text(3),
                 value_of_text(row.text(4), json::object()),
                 row.flag(5),
                 row.flag(6),
                 row.text(7)});
        });
    return rows;
}

std::vector<TokenRow> load_tokens(Connection& connection) {
    std::vector<TokenRow> rows;
    connection.query(
        R"(select id, user_id, service_id, hashed, client_id, session_id, scopes, note, created, last_activity,
           expires_at, server_id from tokens order by id)",
        "iiisssssiiii",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.id<TokenId>(0),
                 row.optional_id<UserId>(1),
                 row.optional_id<ServiceId>(2),
                 row.text(3),
                 row.text(4),
                 row.text(5),
                 list_of_text(row.text(6)),
                 row.text(7),
                 row.time(8),
                 row.optional_time(9),
                 row.optional_time(10),
                 row.optional_id<ServerId>(11)});
        });
    return rows;
}

std::vector<OAuthClientRow> load_oauth_clients(Connection& connection) {
    std::vector<OAuthClientRow> rows;
    connection.query(
        R"(select identifier, description, secret_hash, redirect_uri, allowed_scopes, server_id, service_id,
           no_consent from oauth_clients order by identifier)",
        "sssssiii",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.text(0),
                 row.text(1),
                 row.text(2),
                 row.text(3),
                 list_of_text(row.text(4)),
                 row.optional_id<ServerId>(5),
                 row.optional_id<ServiceId>(6),
                 row.flag(7)});
        });
    return rows;
}

std::vector<OAuthCodeRow> load_oauth_codes(Connection& connection) {
    std::vector<OAuthCodeRow> rows;
    connection.query(
        R"(select code_hash, client_id, user_id, session_id, redirect_uri, scopes, expires_at, code_challenge,
           code_challenge_method from oauth_codes order by code_hash)",
        "ssisssiss",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.text(0),
                 row.text(1),
                 row.id<UserId>(2),
                 row.text(3),
                 row.text(4),
                 list_of_text(row.text(5)),
                 row.time(6),
                 row.optional_text(7),
                 row.optional_text(8)});
        });
    return rows;
}

void load_sessions_and_invites(Connection& connection, Snapshot& snapshot) {
    connection.query(
        R"(select session_hash, user_id, created, last_seen, client_address, user_agent
           from sessions order by session_hash)",
        "siiiss",
        {},
        [&](const RowView& row) {
            snapshot.sessions.push_back(
                {row.text(0), row.id<UserId>(1), row.time(2), row.time(3), row.text(4), row.text(5)});
        });
    connection.query(
        "select token_hash, user_id, created, expires_at from invites order by token_hash",
        "siii",
        {},
        [&](const RowView& row) {
            snapshot.invites.push_back({row.text(0), row.optional_id<UserId>(1), row.time(2), row.time(3)});
        });
}

std::vector<ServerRow> load_servers(Connection& connection) {
    std::vector<ServerRow> rows;
    connection.query(
        R"(select id, user_id, name, display_name, user_options, lifecycle, generation, spawner, spawn_plan,
           spawn_state, target_url, profile, started, last_activity, failure, stopped_because, keep_count,
           kept_until from servers order by id)",
        "iissssisssssiissii",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.id<ServerId>(0),
                 row.id<UserId>(1),
                 ServerName(row.text(2)),
                 row.text(3),
                 value_of_text(row.text(4), nullptr),
                 lifecycle_named(row.text(5)).value_or(Lifecycle::failed),
                 row.integer(6),
                 row.text(7),
                 value_of_text(row.text(8), nullptr),
                 value_of_text(row.text(9), nullptr),
                 row.text(10),
                 row.text(11),
                 row.optional_time(12),
                 row.optional_time(13),
                 row.text(14),
                 row.text(15),
                 row.integer(16),
                 row.optional_time(17)});
        });
    return rows;
}

std::vector<DeviceRow> load_devices(Connection& connection) {
    std::vector<DeviceRow> rows;
    connection.query(
        R"(select uuid, device_order, name, memory_bytes, pci_bus_id, source, capacity, cordoned
           from devices order by device_order, uuid)",
        "sisissii",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {DeviceUuid(row.text(0)),
                 row.integer(1),
                 row.text(2),
                 static_cast<std::uint64_t>(row.integer(3)),
                 row.text(4),
                 row.text(5),
                 row.integer(6),
                 row.flag(7)});
        });
    return rows;
}

LeaseRow lease_of(const RowView& row) {
    return {
        row.id<LeaseId>(0),
        row.optional_id<UserId>(1),
        row.optional_id<ServerId>(2),
        row.integer(3),
        row.flag(4),
        // A word this version does not know is no reason to give a device away.
        lease_state_named(row.text(5)).value_or(LeaseState::lost),
        {},
        row.text(6),
        row.time(7),
        row.optional_time(8),
        row.optional_time(9),
        row.text(10),
        row.text(11),
        row.text(12)};
}

void load_lease_devices(Connection& connection, LeaseRow& lease) {
    connection.query(
        "select device_uuid from lease_devices where lease_id = :id order by device_order",
        "s",
        {lease.id},
        [&](const RowView& row) { lease.devices.emplace_back(row.text(0)); });
}

std::vector<LeaseRow> load_live_leases(Connection& connection) {
    std::vector<LeaseRow> rows;
    connection.query(
        R"(select id, user_id, server_id, generation, exclusive, state, container, created, expires_at,
           released_at, end_reason, profile, project from leases where state <> 'released' order by id)",
        "iiiiissiiisss",
        {},
        [&](const RowView& row) { rows.push_back(lease_of(row)); });
    for (auto& lease : rows)
        load_lease_devices(connection, lease);
    return rows;
}

std::vector<QueueEntryRow> load_queue(Connection& connection) {
    std::vector<QueueEntryRow> rows;
    connection.query(
        "select id, user_id, server_id, request, priority, enqueued from queue_entries order by id",
        "iiisii",
        {},
        [&](const RowView& row) {
            rows.push_back(
                {row.integer(0),
                 row.id<UserId>(1),
                 row.id<ServerId>(2),
                 value_of_text(row.text(3), json::object()),
                 row.integer(4),
                 row.time(5)});
        });
    return rows;
}

}  // namespace

std::vector<LeaseRow> load_leases_of_server(Connection& connection, ServerId server) {
    std::vector<LeaseRow> rows;
    connection.query(
        R"(select id, user_id, server_id, generation, exclusive, state, container, created, expires_at,
           released_at, end_reason, profile, project from leases where server_id = :server order by id)",
        "iiiiissiiisss",
        {server},
        [&](const RowView& row) { rows.push_back(lease_of(row)); });
    for (auto& lease : rows)
        load_lease_devices(connection, lease);
    return rows;
}

std::vector<LeaseRow> leases_of_server(Transaction& tx, ServerId server) {
    return load_leases_of_server(tx.connection(), server);
}

Snapshot load_all(Connection& connection) {
    Snapshot snapshot;
    snapshot.users = load_users(connection);
    snapshot.groups = load_groups(connection);
    snapshot.roles = load_roles(connection);
    snapshot.services = load_services(connection);
    snapshot.tokens = load_tokens(connection);
    snapshot.oauth_clients = load_oauth_clients(connection);
    snapshot.oauth_codes = load_oauth_codes(connection);
    load_sessions_and_invites(connection, snapshot);
    snapshot.servers = load_servers(connection);
    snapshot.devices = load_devices(connection);
    snapshot.leases = load_live_leases(connection);
    snapshot.queue = load_queue(connection);
    return snapshot;
}

}  // namespace berth::store
