// Ids come from the hub (one sequence over all tables, settings.next_id), times are microseconds since 1970
// in UTC, JSON is TEXT, flags are SMALLINT. leases, lease_devices and usage_intervals are history: they
// outlive the user and the server they name, so they hold plain ids without references.
#include "store/migrations/migrations.hpp"

namespace berth::store {

namespace {

constexpr const char* kStatements[] = {
    R"(create table settings (
        name text primary key,
        value text not null))",

    R"(create table users (
        id bigint primary key,
        name text not null unique,
        admin smallint not null,
        created bigint not null,
        last_activity bigint,
        cookie_id text not null unique,
        password_hash text,
        user_info text not null))",

    R"(create table groups (
        id bigint primary key,
        name text not null unique,
        properties text not null))",
    R"(create table group_members (
        group_id bigint not null references groups(id) on delete cascade,
        user_id bigint not null references users(id) on delete cascade,
        primary key (group_id, user_id)))",
    "create index group_members_user on group_members (user_id)",

    R"(create table services (
        id bigint primary key,
        name text not null unique,
        admin smallint not null,
        url text not null,
        info text not null,
        display smallint not null,
        from_config smallint not null,
        oauth_client_id text not null))",

    R"(create table roles (
        id bigint primary key,
        name text not null unique,
        description text not null,
        scopes text not null,
        from_config smallint not null))",
    R"(create table role_users (
        role_id bigint not null references roles(id) on delete cascade,
        user_id bigint not null references users(id) on delete cascade,
        primary key (role_id, user_id)))",
    "create index role_users_user on role_users (user_id)",
    R"(create table role_groups (
        role_id bigint not null references roles(id) on delete cascade,
        group_id bigint not null references groups(id) on delete cascade,
        primary key (role_id, group_id)))",
    "create index role_groups_group on role_groups (group_id)",
    R"(create table role_services (
        role_id bigint not null references roles(id) on delete cascade,
        service_id bigint not null references services(id) on delete cascade,
        primary key (role_id, service_id)))",
    "create index role_services_service on role_services (service_id)",

    R"(create table servers (
        id bigint primary key,
        user_id bigint not null references users(id) on delete cascade,
        name text not null,
        display_name text not null,
        user_options text not null,
        lifecycle text not null,
        generation bigint not null,
        spawner text not null,
        spawn_plan text not null,
        spawn_state text not null,
        target_url text not null,
        profile text not null,
        started bigint,
        last_activity bigint,
        failure text not null,
        unique (user_id, name)))",

    R"(create table tokens (
        id bigint primary key,
        user_id bigint references users(id) on delete cascade,
        service_id bigint references services(id) on delete cascade,
        hashed text not null unique,
        client_id text not null,
        session_id text not null,
        scopes text not null,
        note text not null,
        created bigint not null,
        last_activity bigint,
        expires_at bigint,
        server_id bigint references servers(id) on delete cascade,
        check ((user_id is null) <> (service_id is null))))",
    "create index tokens_user on tokens (user_id)",
    "create index tokens_service on tokens (service_id)",
    "create index tokens_client on tokens (client_id)",
    "create index tokens_server on tokens (server_id)",

    R"(create table oauth_clients (
        identifier text primary key,
        description text not null,
        secret_hash text not null,
        redirect_uri text not null,
        allowed_scopes text not null,
        server_id bigint references servers(id) on delete cascade,
        service_id bigint references services(id) on delete cascade,
        no_consent smallint not null))",
    "create index oauth_clients_server on oauth_clients (server_id)",
    "create index oauth_clients_service on oauth_clients (service_id)",

    R"(create table oauth_codes (
        code_hash text primary key,
        client_id text not null references oauth_clients(identifier) on delete cascade,
        user_id bigint not null references users(id) on delete cascade,
        session_id text not null,
        redirect_uri text not null,
        scopes text not null,
        expires_at bigint not null,
        code_challenge text,
        code_challenge_method text))",
    "create index oauth_codes_client on oauth_codes (client_id)",
    "create index oauth_codes_user on oauth_codes (user_id)",

    R"(create table sessions (
        session_hash text primary key,
        user_id bigint not null references users(id) on delete cascade,
        created bigint not null,
        last_seen bigint not null,
        client_address text not null,
        user_agent text not null))",
    "create index sessions_user on sessions (user_id)",

    R"(create table invites (
        token_hash text primary key,
        user_id bigint references users(id) on delete cascade,
        created bigint not null,
        expires_at bigint not null))",
    "create index invites_user on invites (user_id)",

    R"(create table devices (
        uuid text primary key,
        device_order bigint not null,
        name text not null,
        memory_bytes bigint not null,
        pci_bus_id text not null,
        source text not null,
        capacity bigint not null,
        cordoned smallint not null))",

    R"(create table leases (
        id bigint primary key,
        user_id bigint,
        server_id bigint,
        generation bigint not null,
        exclusive smallint not null,
        state text not null,
        container text not null,
        created bigint not null,
        expires_at bigint,
        released_at bigint,
        end_reason text not null))",
    "create index leases_server on leases (server_id)",
    "create index leases_live on leases (id) where state <> 'released'",

    // How a device is held while any live lease is on it. A live lease_devices row refers to (device, mode);
    // a device has one mode, and it cannot change while a row refers to it. That keeps exclusive and shared
    // leases apart without a trigger; lease_devices_exclusive keeps exclusive ones apart from each other.
    R"(create table device_holds (
        device_uuid text primary key,
        hold_mode text not null,
        unique (device_uuid, hold_mode)))",
    R"(create table lease_devices (
        lease_id bigint not null references leases(id) on delete cascade,
        device_uuid text not null,
        device_order bigint not null,
        live_mode text check (live_mode in ('exclusive', 'shared')),
        primary key (lease_id, device_uuid),
        foreign key (device_uuid, live_mode) references device_holds(device_uuid, hold_mode)))",
    R"(create unique index lease_devices_exclusive on lease_devices (device_uuid)
        where live_mode = 'exclusive')",
    "create index lease_devices_live on lease_devices (device_uuid, live_mode) where live_mode is not null",

    R"(create table queue_entries (
        id bigint primary key,
        user_id bigint not null references users(id) on delete cascade,
        server_id bigint not null references servers(id) on delete cascade,
        request text not null,
        priority bigint not null,
        enqueued bigint not null))",
    "create index queue_entries_user on queue_entries (user_id)",
    "create index queue_entries_server on queue_entries (server_id)",

    R"(create table usage_intervals (
        id bigint primary key,
        lease_id bigint not null,
        device_uuid text not null,
        user_id bigint,
        share double precision not null,
        begin_at bigint not null,
        end_at bigint,
        end_reason text not null))",
    "create index usage_intervals_open on usage_intervals (lease_id) where end_at is null",
    "create index usage_intervals_user on usage_intervals (user_id, begin_at)",

    R"(create table audit (
        sequence bigint primary key,
        at bigint not null,
        principal text not null,
        action text not null,
        target text not null,
        permit text not null,
        result text not null,
        detail text not null))",
    "create index audit_principal on audit (principal, sequence)",
    "create index audit_target on audit (target, sequence)",
};

}  // namespace

std::span<const char* const> m0001_initial() {
    return kStatements;
}

}  // namespace berth::store
