// The directory's memory. Indexes hold views into the entries they point to, so whoever changes an indexed
// field takes the entry out first. Removal is worked out when it is applied, not when it was asked for: in
// between, others commit.
#pragma once

#include "identity/directory.hpp"
#include "identity/impl/user_index.hpp"

#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace berth::identity {

using ScopesPtr = std::shared_ptr<const access::ScopeSet>;

struct Directory::State {
    struct ServerOwner {
        UserId user{};
        ServerName name;
    };

    std::unordered_map<std::int64_t, std::unique_ptr<User>> users;
    std::vector<User*> users_by_id;
    std::vector<User*> users_by_name;
    ActivityOrder by_activity;
    NameText name_text;
    bool names_outdated = false;  // somebody was renamed
    std::unordered_map<std::string_view, User*> user_names;
    std::unordered_map<std::string_view, User*> cookies;

    std::map<std::int64_t, std::unique_ptr<Group>> groups;
    std::map<std::string_view, Group*> group_names;
    std::map<std::string, store::RoleRow> roles;  // by name
    std::map<std::int64_t, std::unique_ptr<store::ServiceRow>> services;
    std::map<std::string_view, store::ServiceRow*> service_names;

    std::unordered_map<std::int64_t, std::unique_ptr<Token>> tokens;
    std::unordered_map<std::string_view, Token*> token_hashes;
    std::unordered_map<std::int64_t, std::vector<Token*>> user_tokens;
    std::unordered_map<std::string, std::unordered_set<Token*>> client_tokens;  // not those of "jupyterhub"

    std::unordered_map<std::string, store::OAuthClientRow> clients;
    std::unordered_map<std::string, store::OAuthCodeRow> codes;
    std::unordered_map<std::string, store::SessionRow> sessions;
    std::unordered_map<std::string, store::InviteRow> invites;
    std::unordered_map<std::int64_t, ServerOwner> servers;

    std::string base_path = "/";
    std::chrono::seconds session_life{14 * 86400};
    std::vector<UserId> touched_users;
    std::vector<TokenId> touched_tokens;

    // Effective scopes, computed when asked for; forgotten whenever roles, groups or names change.
    mutable std::unordered_map<std::int64_t, ScopesPtr> user_scopes;
    mutable std::unordered_map<std::int64_t, ScopesPtr> service_scopes;
    mutable std::unordered_map<std::int64_t, ScopesPtr> token_scopes;

    void add_users(std::vector<store::UserRow> rows);
    void remove_user(UserId id);
    void rename_user(UserId id, const UserName& name);
    User* user(UserId id) const;
    const NameText& names();

    void add_group(store::GroupRow row);
    void remove_group(GroupId id);
    void set_member(GroupId group, UserId user, bool member);

    void put_service(store::ServiceRow row);
    void remove_service(ServiceId id);

    void add_token(store::TokenRow row);
    void remove_token(TokenId id);
    void remove_tokens_of_client(const std::string& identifier);
    void remove_client(const std::string& identifier);
    void forget_scopes();
};

inline constexpr std::string_view kHubClient = "jupyterhub";

Error no_such_user();
Error no_such_group();
// A refused insert or update whose row somebody else wrote first.
Error as_exists(const Error& failure, DirectoryErrc reason, const std::string& message);

}  // namespace berth::identity
