// The working copy of everybody and everything that may ask: users, groups, roles, services, tokens, OAuth
// clients and codes, sessions, invitations. Owned by app/, hub strand only. Reads are synchronous and cheap;
// every change is an awaitable that commits to the store first and then changes memory, so what is read here
// is durable. What somebody asked for comes with its Audit, which is written in the same transaction; its
// target is filled in where one call makes several things.
//
// Everything that hub/ must commit together with its own rows comes as a Mutation (prepare_…); nothing of it
// is in memory before its apply(). Activity times are the exception: they are kept here and written by
// flush_activity().
#pragma once

#include "access/principal.hpp"
#include "async/awaitable.hpp"
#include "config/options.hpp"
#include "identity/entries.hpp"
#include "identity/errors.hpp"
#include "identity/mutation.hpp"
#include "store/store.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::identity {

class Directory final : public access::Memberships {
public:
    Directory(store::Store& store, store::Ids& ids);
    Directory(const Directory&) = delete;
    ~Directory() override;

    void load(const store::Snapshot& snapshot);
    // Brings groups, roles, services with their tokens, and admin flags in line with the configuration; what
    // only the configuration had made and no longer names is removed. Once at start. Errors: unknown_scope,
    // no_such_user, token_malformed, NameErrc, StoreErrc.
    awaitable<Result<void>> apply_config(const config::Options& options, Timestamp now);

    // --- users ---
    const User* find(const UserName& name) const;
    const User* find(UserId id) const;
    const User* find_by_cookie(std::string_view cookie_id) const;
    std::span<const User* const> users_by_name() const;      // sorted by name
    std::span<const User* const> users_by_id() const;        // sorted by id: order of creation
    std::span<const ActivityKey> users_by_activity() const;  // who was never active first, then by time
    // Those whose name holds `part`, by id; one sweep over all names.
    std::vector<const User*> users_holding(std::string_view part) const;
    std::string_view name_of(UserId id) const;  // "" when unknown; valid until users change
    std::size_t user_count() const;
    // True while no user is an administrator.
    bool without_admin() const;
    // True while no administrator has a password: nobody could sign in as one by method "password".
    bool without_admin_password() const;
    // Names that exist already are left out of the answer; one commit for all. Errors: StoreErrc.
    awaitable<Result<std::vector<UserId>>> create_users(
        std::vector<NewUser> users, Timestamp now, Audit audit = {});
    awaitable<Result<UserId>> create_user(NewUser user, Timestamp now, Audit audit = {});  // user_exists
    awaitable<Result<void>> set_admin(UserId user, bool admin, Audit audit = {});
    awaitable<Result<void>> set_user_info(UserId user, json::value info);
    // `hash` is a finished argon2id string, or none to take the password away (identity/password.hpp makes
    // it).
    awaitable<Result<void>> set_password_hash(UserId user, std::optional<std::string> hash);
    // A fresh cookie_id: every browser session of the user must sign in again.
    Mutation prepare_end_of_sessions(UserId user);
    // For hub/, which knows whether servers run. Errors: no_such_user, user_exists.
    Result<Mutation> prepare_rename(UserId user, const UserName& name);
    Result<Mutation> prepare_removal(UserId user);
    // Forward only; kept in memory until flush_activity().
    void touch(UserId user, Timestamp at);

    // --- groups ---
    const Group* find(const GroupName& name) const;
    const Group* find(GroupId id) const;
    std::vector<const Group*> groups() const;                         // by name
    std::vector<std::string> group_names_of(const User& user) const;  // sorted
    bool is_member(std::string_view user, std::string_view group) const override;
    awaitable<Result<GroupId>> create_group(
        GroupName name, std::vector<UserId> members, Audit audit = {});  // group_exists
    // All or none. Errors: group_exists (names the first).
    awaitable<Result<void>> create_groups(std::vector<GroupName> names, Audit audit = {});
    awaitable<Result<void>> remove_group(GroupId group, Audit audit = {});
    awaitable<Result<void>> add_members(GroupId group, std::vector<UserId> users, Audit audit = {});
    awaitable<Result<void>> remove_members(GroupId group, std::vector<UserId> users, Audit audit = {});
    awaitable<Result<void>> set_properties(GroupId group, json::object properties, Audit audit = {});

    // --- roles and scopes ---
    std::vector<std::string> role_names_of(const User& user) const;  // own ones, sorted: "admin", "user", …
    std::vector<std::string> role_names_of(const Group& group) const;
    std::vector<std::string> role_names_of(const store::ServiceRow& service) const;
    // Raw scopes of a stored or default role, or nothing.
    std::optional<std::vector<std::string>> role_scopes(std::string_view role) const;
    std::shared_ptr<const access::ScopeSet> scopes_of(const User& user) const;
    std::shared_ptr<const access::ScopeSet> scopes_of(const store::ServiceRow& service) const;
    std::shared_ptr<const access::ScopeSet> scopes_of(
        const Token& token) const;  // empty when its owner is gone
    access::Owner owner_of(const Token& token) const;

    // --- services ---
    const store::ServiceRow* find(const ServiceName& name) const;
    const store::ServiceRow* find(ServiceId id) const;
    std::vector<const store::ServiceRow*> services() const;  // by name
    // "/services/ops/" below the base path.
    std::string service_prefix(const store::ServiceRow& service) const;
    // Made over REST. Token and client come with it. Errors: service_exists, unknown_scope, token_malformed,
    // NameErrc.
    awaitable<Result<ServiceId>> create_service(
        config::ServiceOptions service, Timestamp now, Audit audit = {});
    awaitable<Result<void>> remove_service(ServiceId service, Audit audit = {});  // service_from_config

    // --- tokens ---
    // By the token's text: nothing when unknown, expired, or longer than 64 characters (never hashed then,
    // §7.1).
    const Token* find_token(std::string_view token, Timestamp now) const;
    const Token* find(TokenId id) const;
    std::vector<const Token*> tokens_of(UserId user) const;  // by last activity or creation
    // Errors: unknown_scope, scopes_not_held, no_such_user, no_such_service.
    Result<void> may_assign(const NewToken& token) const;
    awaitable<Result<IssuedToken>> create_token(
        NewToken token, Timestamp now, Audit audit = {});  // checks may_assign first
    // Revoking a token that an OAuth client was given takes all of the user's tokens of that client (§7.3).
    awaitable<Result<void>> revoke_token(TokenId token, Audit audit = {});
    awaitable<Result<void>> purge_expired(Timestamp now);  // tokens, codes, sessions, invitations
    void touch(TokenId token, Timestamp at);

    // --- principals ---
    access::Principal principal_of(const User& user) const;    // signed in by cookie
    access::Principal principal_of(const Token& token) const;  // anonymous when its owner is gone

    // --- browser sessions (hub-protocol §6) ---
    // `session_id`: the value of cookie jupyterhub-session-id; stored hashed.
    awaitable<Result<void>> create_session(
        UserId user,
        std::string session_id,
        std::string client_address,
        std::string user_agent,
        Timestamp now,
        Audit audit = {});
    const store::SessionRow* find_session(std::string_view session_id) const;
    // Sign-out: ends the session and every token issued in it. Fine when it is unknown.
    awaitable<Result<void>> end_session(UserId user, std::string session_id, Audit audit = {});
    awaitable<Result<void>> end_session_of_hash(UserId user, std::string session_hash, Audit audit = {});
    std::vector<const store::SessionRow*> sessions_of(UserId user) const;

    // --- invitations ---
    // For the first administrator (no user) or for that user to set a password. An older one for the same is
    // void.
    awaitable<Result<Secret>> create_invite(
        std::optional<UserId> user, Timestamp now, std::chrono::seconds life, Audit audit = {});
    const store::InviteRow* find_invite(std::string_view token, Timestamp now) const;
    // Uses it up and sets the password in one commit; `name` is for the first administrator's, who is created
    // as admin. Errors: invite_invalid, user_exists.
    awaitable<Result<UserId>> accept_invite(
        std::string token, std::optional<UserName> name, std::string password_hash, Timestamp now);

    // --- OAuth storage, for identity/oauth and identity/server_credentials ---
    const store::OAuthClientRow* find_client(std::string_view identifier) const;
    std::optional<ServerKey> server_of(const store::OAuthClientRow& client) const;
    std::optional<ServiceName> service_of(const store::OAuthClientRow& client) const;
    const store::OAuthCodeRow* find_code(std::string_view code, Timestamp now) const;
    std::vector<const Token*> tokens_of_client(UserId user, std::string_view client_id) const;
    Mutation prepare_client(const store::OAuthClientRow& client);
    Mutation prepare_client_removal(const std::string& identifier);  // with its codes and tokens
    Mutation prepare_code(const store::OAuthCodeRow& code);
    // Fails the commit with StoreErrc::constraint when somebody used it first.
    Mutation prepare_code_use(const std::string& code_hash);
    // Without may_assign: the caller has reduced the scopes. `token` must be random.
    Mutation prepare_token(const store::TokenRow& row);
    Mutation prepare_token_removal(TokenId token);
    // The server behind `!server` of tokens and clients; hub/ tells it when it makes, renames or removes a
    // server. With a dropped one go its token and its client, as they went in the database.
    void put_server(ServerId id, UserId user, ServerName name);
    void drop_server(ServerId id);

    // Writes what touch() collected, a few thousand rows a commit.
    awaitable<Result<void>> flush_activity();
    awaitable<Result<void>> commit(Mutation mutation);
    store::Ids& ids() { return ids_; }
    store::Store& store() { return store_; }

    struct State;  // identity/impl/state.hpp

private:
    store::Store& store_;
    store::Ids& ids_;
    std::unique_ptr<State> state_;
};

}  // namespace berth::identity
