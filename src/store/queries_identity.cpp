// Users, groups, roles, services, tokens, OAuth, sessions, invitations.
#include "store/impl/texts.hpp"
#include "store/impl/transaction.hpp"
#include "store/queries.hpp"

namespace berth::store {

void insert(Transaction& tx, const UserRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into users (id, name, admin, created, last_activity, cookie_id, password_hash, user_info)
           values (:id, :name, :admin, :created, :last_activity, :cookie_id, :password_hash, :user_info))",
        {row.id,
         row.name,
         row.admin,
         row.created,
         row.last_activity,
         row.cookie_id,
         row.password_hash,
         json::serialize(row.user_info)});
}

void update(Transaction& tx, const UserRow& row) {
    tx.execute(
        R"(update users set name = :name, admin = :admin, last_activity = :last_activity, cookie_id = :cookie_id,
           password_hash = :password_hash, user_info = :user_info where id = :id)",
        {row.name,
         row.admin,
         row.last_activity,
         row.cookie_id,
         row.password_hash,
         json::serialize(row.user_info),
         row.id});
}

void set_user_name(Transaction& tx, UserId user, const UserName& name) {
    tx.execute("update users set name = :name where id = :id", {name, user});
}

void set_user_admin(Transaction& tx, UserId user, bool admin) {
    tx.execute("update users set admin = :admin where id = :id", {admin, user});
}

void set_user_info(Transaction& tx, UserId user, const json::value& info) {
    tx.execute("update users set user_info = :info where id = :id", {json::serialize(info), user});
}

void set_user_password(Transaction& tx, UserId user, const std::optional<std::string>& hash) {
    tx.execute("update users set password_hash = :hash where id = :id", {hash, user});
}

void set_user_cookie(Transaction& tx, UserId user, const std::string& cookie_id) {
    tx.execute("update users set cookie_id = :cookie where id = :id", {cookie_id, user});
}

void remove_user(Transaction& tx, UserId user) {
    // Tokens that others hold for this user's servers go with the servers' OAuth clients.
    tx.execute(
        R"(delete from tokens where client_id in (select c.identifier from oauth_clients c
           join servers s on s.id = c.server_id where s.user_id = :user))",
        {user});
    tx.execute("delete from users where id = :id", {user});
}

void touch_user(Transaction& tx, UserId user, Timestamp last_activity) {
    tx.execute(
        R"(update users set last_activity = :at where id = :id
           and (last_activity is null or last_activity < :newer))",
        {last_activity, user, last_activity});
}

void add_member(Transaction& tx, GroupId group, UserId user) {
    tx.execute(
        "insert into group_members (group_id, user_id) values (:g, :u) on conflict do nothing",
        {group, user});
}

void remove_member(Transaction& tx, GroupId group, UserId user) {
    tx.execute("delete from group_members where group_id = :g and user_id = :u", {group, user});
}

void set_group_properties(Transaction& tx, GroupId group, const json::value& properties) {
    tx.execute("update groups set properties = :p where id = :id", {json::serialize(properties), group});
}

void insert(Transaction& tx, const GroupRow& row) {
    tx.used(row.id);
    tx.execute(
        "insert into groups (id, name, properties) values (:id, :name, :properties)",
        {row.id, row.name, json::serialize(row.properties)});
    for (const auto user : row.members)
        add_member(tx, row.id, user);
}

void update(Transaction& tx, const GroupRow& row) {
    tx.execute(
        "update groups set name = :name, properties = :properties where id = :id",
        {row.name, json::serialize(row.properties), row.id});
    tx.execute("delete from group_members where group_id = :id", {row.id});
    for (const auto user : row.members)
        add_member(tx, row.id, user);
}

void remove_group(Transaction& tx, GroupId group) {
    tx.execute("delete from groups where id = :id", {group});
}

void upsert(Transaction& tx, const RoleRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into roles (id, name, description, scopes, from_config)
           values (:id, :name, :description, :scopes, :from_config)
           on conflict (id) do update set name = excluded.name, description = excluded.description,
           scopes = excluded.scopes, from_config = excluded.from_config)",
        {row.id, row.name, row.description, text_of_list(row.scopes), row.from_config});
    tx.execute("delete from role_users where role_id = :id", {row.id});
    tx.execute("delete from role_groups where role_id = :id", {row.id});
    tx.execute("delete from role_services where role_id = :id", {row.id});
    for (const auto user : row.users)
        tx.execute("insert into role_users (role_id, user_id) values (:r, :u)", {row.id, user});
    for (const auto group : row.groups)
        tx.execute("insert into role_groups (role_id, group_id) values (:r, :g)", {row.id, group});
    for (const auto service : row.services)
        tx.execute("insert into role_services (role_id, service_id) values (:r, :s)", {row.id, service});
}

void remove_role(Transaction& tx, RoleId role) {
    tx.execute("delete from roles where id = :id", {role});
}

void upsert(Transaction& tx, const ServiceRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into services (id, name, admin, url, info, display, from_config, oauth_client_id)
           values (:id, :name, :admin, :url, :info, :display, :from_config, :oauth_client_id)
           on conflict (id) do update set name = excluded.name, admin = excluded.admin, url = excluded.url,
           info = excluded.info, display = excluded.display, from_config = excluded.from_config,
           oauth_client_id = excluded.oauth_client_id)",
        {row.id,
         row.name,
         row.admin,
         row.url,
         json::serialize(row.info),
         row.display,
         row.from_config,
         row.oauth_client_id});
}

void remove_service(Transaction& tx, ServiceId service) {
    tx.execute(
        "delete from tokens where client_id in (select identifier from oauth_clients where service_id = :id)",
        {service});
    tx.execute("delete from services where id = :id", {service});
}

void insert(Transaction& tx, const TokenRow& row) {
    tx.used(row.id);
    tx.execute(
        R"(insert into tokens (id, user_id, service_id, hashed, client_id, session_id, scopes, note, created,
           last_activity, expires_at, server_id) values (:id, :user_id, :service_id, :hashed, :client_id,
           :session_id, :scopes, :note, :created, :last_activity, :expires_at, :server_id))",
        {row.id,
         row.user,
         row.service,
         row.hashed,
         row.client_id,
         row.session_id,
         text_of_list(row.scopes),
         row.note,
         row.created,
         row.last_activity,
         row.expires_at,
         row.server});
}

void remove_token(Transaction& tx, TokenId token) {
    tx.execute("delete from tokens where id = :id", {token});
}

void touch_token(Transaction& tx, TokenId token, Timestamp last_activity) {
    tx.execute("update tokens set last_activity = :at where id = :id", {last_activity, token});
}

void upsert(Transaction& tx, const OAuthClientRow& row) {
    tx.execute(
        R"(insert into oauth_clients (identifier, description, secret_hash, redirect_uri, allowed_scopes,
           server_id, service_id, no_consent) values (:identifier, :description, :secret_hash,
           :redirect_uri, :allowed_scopes, :server_id, :service_id, :no_consent) on conflict (identifier) do update set
           description = excluded.description, secret_hash = excluded.secret_hash,
           redirect_uri = excluded.redirect_uri, allowed_scopes = excluded.allowed_scopes,
           server_id = excluded.server_id, service_id = excluded.service_id,
           no_consent = excluded.no_consent)",
        {row.identifier,
         row.description,
         row.secret_hash,
         row.redirect_uri,
         text_of_list(row.allowed_scopes),
         row.server,
         row.service,
         row.no_consent});
}

void remove_oauth_client(Transaction& tx, const std::string& identifier) {
    tx.execute("delete from tokens where client_id = :id", {identifier});
    tx.execute("delete from oauth_clients where identifier = :id", {identifier});
}

void insert(Transaction& tx, const OAuthCodeRow& row) {
    tx.execute(
        R"(insert into oauth_codes (code_hash, client_id, user_id, session_id, redirect_uri, scopes, expires_at,
           code_challenge, code_challenge_method) values (:code_hash, :client_id, :user_id, :session_id,
           :redirect_uri, :scopes, :expires_at, :challenge, :method))",
        {row.code_hash,
         row.client_id,
         row.user,
         row.session_id,
         row.redirect_uri,
         text_of_list(row.scopes),
         row.expires_at,
         row.code_challenge,
         row.code_challenge_method});
}

void remove_oauth_code(Transaction& tx, const std::string& code_hash) {
    tx.execute("delete from oauth_codes where code_hash = :hash", {code_hash});
}

void use_oauth_code(Transaction& tx, const std::string& code_hash) {
    remove_oauth_code(tx, code_hash);
    tx.require_changed("the code is used already");
}

void insert(Transaction& tx, const SessionRow& row) {
    tx.execute(
        R"(insert into sessions (session_hash, user_id, created, last_seen, client_address, user_agent)
           values (:hash, :user_id, :created, :last_seen, :address, :agent))",
        {row.session_hash, row.user, row.created, row.last_seen, row.client_address, row.user_agent});
}

void remove_session(Transaction& tx, const std::string& session_hash) {
    tx.execute("delete from sessions where session_hash = :hash", {session_hash});
}

void insert(Transaction& tx, const InviteRow& row) {
    tx.execute(
        R"(insert into invites (token_hash, user_id, created, expires_at)
           values (:hash, :user_id, :created, :expires_at))",
        {row.token_hash, row.user, row.created, row.expires_at});
}

void remove_invite(Transaction& tx, const std::string& token_hash) {
    tx.execute("delete from invites where token_hash = :hash", {token_hash});
}

void use_invite(Transaction& tx, const std::string& token_hash) {
    remove_invite(tx, token_hash);
    tx.require_changed("the link is used already");
}

}  // namespace berth::store
