-- A database of schema 1 with a few rows, as the first Berth wrote it. Statements end with a line "--".
CREATE TABLE audit (
    sequence bigint primary key,
    at bigint not null,
    principal text not null,
    action text not null,
    target text not null,
    permit text not null,
    result text not null,
    detail text not null);
--
INSERT INTO "audit" VALUES(1,1795521981746770,'service:ops','server.create','ann/second','start:servers','ok','');
--
INSERT INTO "audit" VALUES(2,1795521981748905,'service:ops','gpu.lease','GPU-aaaa','gpu:lease','ok','');
--
CREATE TABLE device_holds (
    device_uuid text primary key,
    hold_mode text not null,
    unique (device_uuid, hold_mode));
--
INSERT INTO "device_holds" VALUES('GPU-aaaa','exclusive');
--
CREATE TABLE devices (
    uuid text primary key,
    device_order bigint not null,
    name text not null,
    memory_bytes bigint not null,
    pci_bus_id text not null,
    source text not null,
    capacity bigint not null,
    cordoned smallint not null);
--
INSERT INTO "devices" VALUES('GPU-aaaa',0,'',0,'','config',1,0);
--
INSERT INTO "devices" VALUES('GPU-bbbb',1,'',0,'','config',1,0);
--
CREATE TABLE group_members (
    group_id bigint not null references groups(id) on delete cascade,
    user_id bigint not null references users(id) on delete cascade,
    primary key (group_id, user_id));
--
INSERT INTO "group_members" VALUES(7,5);
--
CREATE TABLE groups (
    id bigint primary key,
    name text not null unique,
    properties text not null);
--
INSERT INTO "groups" VALUES(7,'ml','{}');
--
CREATE TABLE invites (
    token_hash text primary key,
    user_id bigint references users(id) on delete cascade,
    created bigint not null,
    expires_at bigint not null);
--
CREATE TABLE lease_devices (
    lease_id bigint not null references leases(id) on delete cascade,
    device_uuid text not null,
    device_order bigint not null,
    live_mode text check (live_mode in ('exclusive', 'shared')),
    primary key (lease_id, device_uuid),
    foreign key (device_uuid, live_mode) references device_holds(device_uuid, hold_mode));
--
INSERT INTO "lease_devices" VALUES(10,'GPU-aaaa',0,'exclusive');
--
CREATE TABLE leases (
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
    end_reason text not null);
--
INSERT INTO "leases" VALUES(10,NULL,NULL,0,1,'active','',1795521981748905,1795525581748905,NULL,'');
--
CREATE TABLE oauth_clients (
    identifier text primary key,
    description text not null,
    secret_hash text not null,
    redirect_uri text not null,
    allowed_scopes text not null,
    server_id bigint references servers(id) on delete cascade,
    service_id bigint references services(id) on delete cascade,
    no_consent smallint not null);
--
CREATE TABLE oauth_codes (
    code_hash text primary key,
    client_id text not null references oauth_clients(identifier) on delete cascade,
    user_id bigint not null references users(id) on delete cascade,
    session_id text not null,
    redirect_uri text not null,
    scopes text not null,
    expires_at bigint not null,
    code_challenge text,
    code_challenge_method text);
--
CREATE TABLE queue_entries (
    id bigint primary key,
    user_id bigint not null references users(id) on delete cascade,
    server_id bigint not null references servers(id) on delete cascade,
    request text not null,
    priority bigint not null,
    enqueued bigint not null);
--
CREATE TABLE role_groups (
    role_id bigint not null references roles(id) on delete cascade,
    group_id bigint not null references groups(id) on delete cascade,
    primary key (role_id, group_id));
--
CREATE TABLE role_services (
    role_id bigint not null references roles(id) on delete cascade,
    service_id bigint not null references services(id) on delete cascade,
    primary key (role_id, service_id));
--
INSERT INTO "role_services" VALUES(4,2);
--
CREATE TABLE role_users (
    role_id bigint not null references roles(id) on delete cascade,
    user_id bigint not null references users(id) on delete cascade,
    primary key (role_id, user_id));
--
CREATE TABLE roles (
    id bigint primary key,
    name text not null unique,
    description text not null,
    scopes text not null,
    from_config smallint not null);
--
INSERT INTO "roles" VALUES(4,'service-ops','What service ops may do','["admin:users","admin:servers","list:users","admin:groups","tokens","read:hub","proxy","list:services","read:services","access:servers","gpu:admin"]',0);
--
CREATE TABLE schema_version (version bigint primary key, name text not null,
    applied bigint not null);
--
INSERT INTO "schema_version" VALUES(1,'initial',1795521981706569);
--
CREATE TABLE servers (
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
    unique (user_id, name));
--
INSERT INTO "servers" VALUES(9,5,'second','second','{"profile":"gpu"}','stopped',0,'','null','null','','',NULL,NULL,'');
--
CREATE TABLE services (
    id bigint primary key,
    name text not null unique,
    admin smallint not null,
    url text not null,
    info text not null,
    display smallint not null,
    from_config smallint not null,
    oauth_client_id text not null);
--
INSERT INTO "services" VALUES(2,'ops',0,'','{}',1,1,'');
--
CREATE TABLE sessions (
    session_hash text primary key,
    user_id bigint not null references users(id) on delete cascade,
    created bigint not null,
    last_seen bigint not null,
    client_address text not null,
    user_agent text not null);
--
CREATE TABLE settings (
    name text primary key,
    value text not null);
--
INSERT INTO "settings" VALUES('instance_id','a5208f1147f2121c');
--
INSERT INTO "settings" VALUES('proxy_token','0');
--
INSERT INTO "settings" VALUES('highest_id','11');
--
INSERT INTO "settings" VALUES('cookie_secret','0');
--
INSERT INTO "settings" VALUES('chosen_spawner','local');
--
INSERT INTO "settings" VALUES('hub_port','43327');
--
CREATE TABLE tokens (
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
    check ((user_id is null) <> (service_id is null)));
--
INSERT INTO "tokens" VALUES(3,NULL,2,'3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9','jupyterhub','','["inherit"]','From the configuration',1795521981710248,1795521981740269,NULL,NULL);
--
INSERT INTO "tokens" VALUES(8,5,NULL,'bd7b444c3097bf8c9ead1120b4b3d11d5e7ca2e7d3c883cbdd30e00fd189bb39','jupyterhub','','["inherit"]','kept over upgrades',1795521981744600,NULL,NULL,NULL);
--
CREATE TABLE usage_intervals (
    id bigint primary key,
    lease_id bigint not null,
    device_uuid text not null,
    user_id bigint,
    share double precision not null,
    begin_at bigint not null,
    end_at bigint,
    end_reason text not null);
--
INSERT INTO "usage_intervals" VALUES(11,10,'GPU-aaaa',NULL,1.0,1795521981748905,NULL,'');
--
CREATE TABLE users (
    id bigint primary key,
    name text not null unique,
    admin smallint not null,
    created bigint not null,
    last_activity bigint,
    cookie_id text not null unique,
    password_hash text,
    user_info text not null);
--
INSERT INTO "users" VALUES(1,'admin',1,1795521981710248,NULL,'30bca8a21c3ce98dd114c1a103d7dcdf',NULL,'null');
--
INSERT INTO "users" VALUES(5,'ann',0,1795521981740269,NULL,'81ad792e75a36658c365283893f21b81',NULL,'null');
--
INSERT INTO "users" VALUES(6,'bob',0,1795521981740269,NULL,'5bc04533a0acacdac56a885baa4c69fb',NULL,'null');
--
CREATE INDEX group_members_user on group_members (user_id);
--
CREATE INDEX role_users_user on role_users (user_id);
--
CREATE INDEX role_groups_group on role_groups (group_id);
--
CREATE INDEX role_services_service on role_services (service_id);
--
CREATE INDEX tokens_user on tokens (user_id);
--
CREATE INDEX tokens_service on tokens (service_id);
--
CREATE INDEX tokens_client on tokens (client_id);
--
CREATE INDEX tokens_server on tokens (server_id);
--
CREATE INDEX oauth_clients_server on oauth_clients (server_id);
--
CREATE INDEX oauth_clients_service on oauth_clients (service_id);
--
CREATE INDEX oauth_codes_client on oauth_codes (client_id);
--
CREATE INDEX oauth_codes_user on oauth_codes (user_id);
--
CREATE INDEX sessions_user on sessions (user_id);
--
CREATE INDEX invites_user on invites (user_id);
--
CREATE INDEX leases_server on leases (server_id);
--
CREATE INDEX leases_live on leases (id) where state <> 'released';
--
CREATE UNIQUE INDEX lease_devices_exclusive on lease_devices (device_uuid)
    where live_mode = 'exclusive';
--
CREATE INDEX lease_devices_live on lease_devices (device_uuid, live_mode) where live_mode is not null;
--
CREATE INDEX queue_entries_user on queue_entries (user_id);
--
CREATE INDEX queue_entries_server on queue_entries (server_id);
--
CREATE INDEX usage_intervals_open on usage_intervals (lease_id) where end_at is null;
--
CREATE INDEX usage_intervals_user on usage_intervals (user_id, begin_at);
--
CREATE INDEX audit_principal on audit (principal, sequence);
--
CREATE INDEX audit_target on audit (target, sequence);
--
