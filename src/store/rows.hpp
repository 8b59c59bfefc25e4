// What the database holds, row by row: the data model. Plain values; ids are given by the hub
// (store/store.hpp, Ids), times are UTC. Text columns that hold JSON are json::value here.
#pragma once

#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace berth::store {

struct UserRow {
    UserId id{};
    UserName name;
    bool admin = false;
    Timestamp created{};
    std::optional<Timestamp> last_activity;
    std::string cookie_id;                     // random hex; what login cookies carry instead of the name
    std::optional<std::string> password_hash;  // libsodium's argon2id string; none: no password yet
    json::value user_info = nullptr;           // public facts from the authenticator (hub-protocol §4.3)
};

struct GroupRow {
    GroupId id{};
    GroupName name;
    json::value properties = json::object();
    std::vector<UserId> members;
};

struct RoleRow {
    RoleId id{};
    std::string name;
    std::string description;
    std::vector<std::string> scopes;  // raw
    bool from_config = false;
    std::vector<UserId> users;
    std::vector<GroupId> groups;
    std::vector<ServiceId> services;
};

struct ServiceRow {
    ServiceId id{};
    ServiceName name;
    bool admin = false;
    std::string url;
    json::value info = json::object();
    bool display = true;
    bool from_config = false;
    std::string oauth_client_id;  // "" when it has none
};

struct TokenRow {
    TokenId id{};
    std::optional<UserId> user;  // exactly one of user and service
    std::optional<ServiceId> service;
    std::string hashed;  // sha256 hex of the token: tokens are random, 128 bits or more (identity/tokens.hpp)
    std::string client_id;            // OAuth client it was issued to; "jupyterhub" for API tokens
    std::string session_id;           // browser session it came from, or ""
    std::vector<std::string> scopes;  // raw
    std::string note;
    Timestamp created{};
    std::optional<Timestamp> last_activity;
    std::optional<Timestamp> expires_at;
    std::optional<ServerId> server;  // the server whose own token this is
};

struct OAuthClientRow {
    std::string identifier;
    std::string description;
    std::string secret_hash;  // sha256 hex
    std::string redirect_uri;
    std::vector<std::string> allowed_scopes;
    std::optional<ServerId> server;
    std::optional<ServiceId> service;
    bool no_consent = false;  // of a service with oauth_no_confirm: nobody is asked
};

struct OAuthCodeRow {
    std::string code_hash;  // sha256 hex
    std::string client_id;
    UserId user{};
    std::string session_id;
    std::string redirect_uri;
    std::vector<std::string> scopes;
    Timestamp expires_at{};
    std::optional<std::string> code_challenge;
    std::optional<std::string> code_challenge_method;
};

struct SessionRow {
    std::string session_hash;  // sha256 hex of the value in cookie jupyterhub-session-id
    UserId user{};
    Timestamp created{};
    Timestamp last_seen{};
    std::string client_address;
    std::string user_agent;
};

// One-time links: the first administrator's, and invitations to set a password.
struct InviteRow {
    std::string token_hash;      // sha256 hex
    std::optional<UserId> user;  // none: the first administrator, who chooses a name
    Timestamp created{};
    Timestamp expires_at{};
};

// waiting: asked for and granted, and nothing of it has been asked of the backend yet.
enum class Lifecycle { stopped, waiting, starting, ready, stopping, failed };
std::string_view name_of(Lifecycle state);
std::optional<Lifecycle> lifecycle_named(std::string_view name);

struct ServerRow {
    ServerId id{};
    UserId user{};
    ServerName name;
    std::string display_name;
    json::value user_options = nullptr;  // object, or null when it never had any
    Lifecycle lifecycle = Lifecycle::stopped;
    std::int64_t generation =
        0;                // counts starts; names and labels of backend objects derive from id and generation
    std::string spawner;  // the spawner that holds it while it is not stopped
    json::value spawn_plan =
        nullptr;  // spawn::StartPlan without secrets, as committed before the backend is touched
    json::value spawn_state = nullptr;  // what the spawner needs to find it again; opaque here
    std::string target_url;             // http://host:port once known
    std::string profile;
    std::optional<Timestamp> started;
    std::optional<Timestamp> last_activity;
    std::string failure;          // why the last start failed, for the person; "" when it did not
    std::string stopped_because;  // why the hub ended it unasked, for the person; "" when it did not
    std::int64_t keep_count = 0;  // how often its people kept it running since its start (hub/cull.hpp)
    std::optional<Timestamp> kept_until;
};

struct DeviceRow {
    DeviceUuid uuid;
    std::int64_t position = 0;  // device order: ties go to the lowest
    std::string name;
    std::uint64_t memory_bytes = 0;
    std::string pci_bus_id;
    std::string source;         // "nvml" | "config" | "facade"
    std::int64_t capacity = 1;  // oversubscription factor k
    bool cordoned = false;
};

enum class LeaseState { reserved, bound, active, draining, released, lost };
std::string_view name_of(LeaseState state);
std::optional<LeaseState> lease_state_named(std::string_view name);

struct LeaseRow {
    LeaseId id{};
    std::optional<UserId> user;  // none: an anonymous lease of the allocator façade
    std::optional<ServerId> server;
    std::int64_t generation = 0;  // of the server's start it belongs to
    bool exclusive = true;
    LeaseState state = LeaseState::reserved;
    std::vector<DeviceUuid> devices;
    std::string container;  // backend's name for what it is bound to, "" before
    Timestamp created{};
    std::optional<Timestamp> expires_at;  // it ends then unless it is renewed
    std::optional<Timestamp> released_at;
    std::string end_reason;
    std::string profile;  // of the start it was granted to; "": none, or before schema 4
    std::string project;  // for which it is held, "": none
};

struct QueueEntryRow {
    std::int64_t id = 0;
    UserId user{};
    ServerId server{};
    json::value request = json::object();
    std::int64_t priority = 0;
    Timestamp enqueued{};
};

// GPUs kept for somebody at a time to come (gpu.md E.1).
struct ReservationRow {
    std::int64_t id = 0;
    std::optional<UserId> user;         // whose; or
    std::string group;                  // of whoever is in it; or
    std::string project;                // of whoever starts for it
    json::value wish = json::object();  // count, pool, model, memory, devices
    Timestamp begin{};
    Timestamp end{};
    std::string note;     // for the calendar
    std::string made_by;  // principal, as in audit records
};

// What a device was doing over one span of time, for the board.
struct DeviceSampleRow {
    DeviceUuid device;
    Timestamp begin{};
    Timestamp end{};
    std::string state;             // free, held, idle, busy, external, sick
    double utilisation = 0;        // mean over the span, 0 to 1
    std::uint64_t used_bytes = 0;  // mean
};

// Where a browser that was allowed to takes notices (Web Push, RFC 8030).
struct PushRow {
    std::int64_t id = 0;
    UserId user{};
    std::string endpoint;  // https URL of the browser's push service
    std::string p256dh;    // the browser's public key, base64url
    std::string auth;      // its shared secret, base64url
    Timestamp created{};
};

struct UsageIntervalRow {
    std::int64_t id = 0;
    LeaseId lease{};
    DeviceUuid device;
    std::optional<UserId> user;
    double share = 1;
    Timestamp begin{};
    std::optional<Timestamp> end;
    std::string end_reason;
    double used_seconds = 0;  // time × utilisation, as far as it was read
    double joules = 0;        // the device's energy over that time, as far as it was read
    // Of its lease, when it is read. The profile of a lease before schema 4 is that of its server now, none
    // when that is gone.
    std::optional<std::string> profile{};
    std::string project{};
};

struct AuditRow {
    Timestamp at{};
    std::string principal;  // "user:ann", "service:ops", "system:reaper"
    std::string action;     // "server.start"
    std::string target;
    std::string permit;  // the scope that allowed it
    std::string result;  // "ok" or the refusal's code
    std::string detail;
};

}  // namespace berth::store
