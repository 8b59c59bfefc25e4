// What the directory keeps in memory of each user, group, role, service and token: the row and what is
// derived from it. Read-only outside identity/. Pointers to entries stay valid until the entry is removed;
// after a suspension look them up again by id.
#pragma once

#include "base/secret.hpp"
#include "store/rows.hpp"

#include <string>
#include <vector>

namespace berth::identity {

struct User {
    store::UserRow row;
    std::vector<GroupId> groups;  // sorted by id
    bool activity_dirty = false;  // last_activity is newer than in the database
    bool order_outdated = false;  // last_activity is newer than in the order of activity

    const UserName& name() const { return row.name; }
    UserId id() const { return row.id; }
};

// An entry of the order of activity.
struct ActivityKey {
    Timestamp at{};  // zero: never active
    UserId id{};
    const User* user = nullptr;
    auto operator<=>(const ActivityKey&) const = default;
};

struct Group {
    store::GroupRow row;  // members sorted by id
};

struct Token {
    store::TokenRow row;
    bool activity_dirty = false;

    bool expired(Timestamp now) const { return row.expires_at && *row.expires_at <= now; }
    std::string api_id() const { return "a" + std::to_string(number_of(row.id)); }  // hub-protocol §7.3
    bool of_browser_login() const { return row.client_id != "jupyterhub"; }
};

struct NewUser {
    UserName name;
    bool admin = false;
};

struct NewToken {
    std::optional<UserId> user;  // exactly one of user and service
    std::optional<ServiceId> service;
    std::vector<std::string> scopes = {"inherit"};
    std::string note;
    std::optional<Timestamp> expires_at;
    std::string client_id = "jupyterhub";
    std::string session_id;
};

// The secret is shown once.
struct IssuedToken {
    TokenId id{};
    Secret token;
};

}  // namespace berth::identity
