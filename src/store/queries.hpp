// One function a statement. All run inside a Change on the store thread. They throw StoreFailure, which
// commit() turns into StoreErrc::constraint or unavailable. Deletions cascade as the schema says
// (migrations/).
#pragma once

#include "store/rows.hpp"
#include "store/store.hpp"

namespace berth::store {

void insert(Transaction&, const UserRow&);
void update(Transaction&, const UserRow&);
// One column each, so that two changes of one user do not undo each other.
void set_user_name(Transaction&, UserId, const UserName& name);
void set_user_admin(Transaction&, UserId, bool admin);
void set_user_info(Transaction&, UserId, const json::value& info);
void set_user_password(Transaction&, UserId, const std::optional<std::string>& hash);
void set_user_cookie(Transaction&, UserId, const std::string& cookie_id);
void remove_user(Transaction&, UserId);  // with tokens, sessions, servers, memberships
void touch_user(Transaction&, UserId, Timestamp last_activity);

void insert(Transaction&, const GroupRow&);         // with members
void update(Transaction&, const GroupRow&);         // replaces the members
void add_member(Transaction&, GroupId, UserId);     // fine when it is one
void remove_member(Transaction&, GroupId, UserId);  // fine when it is none
void set_group_properties(Transaction&, GroupId, const json::value& properties);
void remove_group(Transaction&, GroupId);

void upsert(Transaction&, const RoleRow&);  // with its assignments, replaced
void remove_role(Transaction&, RoleId);
void upsert(Transaction&, const ServiceRow&);
void remove_service(Transaction&, ServiceId);

void insert(Transaction&, const TokenRow&);
void remove_token(Transaction&, TokenId);
void touch_token(Transaction&, TokenId, Timestamp last_activity);

void upsert(Transaction&, const OAuthClientRow&);
void remove_oauth_client(
    Transaction&, const std::string& identifier);  // with the codes and tokens issued to it
void insert(Transaction&, const OAuthCodeRow&);
void remove_oauth_code(Transaction&, const std::string& code_hash);
// Removes it; a constraint failure when it is not there any more: a code is used once.
void use_oauth_code(Transaction&, const std::string& code_hash);

void insert(Transaction&, const SessionRow&);
void remove_session(Transaction&, const std::string& session_hash);
void insert(Transaction&, const InviteRow&);
void remove_invite(Transaction&, const std::string& token_hash);
void use_invite(Transaction&, const std::string& token_hash);  // like use_oauth_code

void insert(Transaction&, const ServerRow&);
void update(Transaction&, const ServerRow&);
void remove_server(Transaction&, ServerId);
void touch_server(Transaction&, ServerId, Timestamp last_activity);
// Its people kept it running for the `count`th time since its start.
void keep_server(Transaction&, ServerId, std::int64_t count, Timestamp until);
// It is reached there now; nothing happens unless it is ready.
void move_server(Transaction&, ServerId, const std::string& target_url);

void upsert(Transaction&, const DeviceRow&);
void remove_device(Transaction&, const DeviceUuid&);

// Inserting or updating a lease keeps lease_devices in step; the schema itself refuses a second live
// exclusive lease on a device, and a live lease on a device with a live exclusive one.
// What it was granted for is written once.
void insert(Transaction&, const LeaseRow&);
void update(Transaction&, const LeaseRow&);
void move_lease_end(Transaction&, LeaseId, Timestamp expires_at);  // of a live one
std::vector<LeaseRow> leases_of_server(Transaction&, ServerId);

void insert(Transaction&, const QueueEntryRow&);
void remove_queue_entries(Transaction&, ServerId);
void insert(Transaction&, const UsageIntervalRow&);
// Updates a lease that has ended (`released_at` is set) and ends its open usage intervals with it.
void end_lease(Transaction&, const LeaseRow&);
// Those that are open or ended at or after `since`, by id.
std::vector<UsageIntervalRow> usage_intervals(Transaction&, Timestamp since);
// What a lease used of a device, more than was added before; its usage never exceeds the time it was held.
struct LeaseUse {
    LeaseId lease{};
    DeviceUuid device;
    double used_seconds = 0;
    double joules = 0;
    Timestamp until{};  // when that was seen
};
void add_usage(Transaction&, const LeaseUse&);

// Utilisation is below 0 where none was read.
void upsert(Transaction&, const DeviceSampleRow&);
std::vector<DeviceSampleRow> device_samples(Transaction&, Timestamp since);  // that ended then or later
void remove_device_samples(Transaction&, Timestamp ended_before);

void insert(Transaction&, const PushRow&);  // in the place of another one of the same endpoint
void remove_push(Transaction&, UserId, const std::string& endpoint);
std::vector<PushRow> push_of_user(Transaction&, UserId);  // oldest first

void insert(Transaction&, const AuditRow&);
struct AuditFilter {
    std::string principal;  // "" any
    std::string target;     // "" any; "ann" also means her default server, "ann/"
    std::int64_t limit = 100;
    std::string action = {};  // "" any; "server" also means "server.start"
    Timestamp since = {};
};
std::vector<AuditRow> audit_records(Transaction&, const AuditFilter&);  // newest first

}  // namespace berth::store
