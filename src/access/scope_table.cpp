// The table of hub-protocol §10.1 with Berth's own rows, `self` (§10.3) and the default roles (§10.4).
#include "access/scopes.hpp"

#include <unordered_map>

namespace berth::access {

std::span<const ScopeInfo> scope_table() {
    static const std::vector<ScopeInfo> table{
        {"(no_scope)", "Identify the owner, nothing else", {}},
        {"self", "Everything you may do with your own account", {}},
        {"inherit", "Everything the owner may do", {}},
        {"admin-ui", "Open the administration page", {}},
        {"admin:users",
         "Create, change and delete users",
         {"admin:auth_state", "users", "read:roles:users", "delete:users"}},
        {"admin:auth_state", "Read users' authentication state", {}},
        {"users", "Read and change users", {"read:users", "list:users", "users:activity"}},
        {"delete:users", "Delete users", {}},
        {"list:users", "List users", {"read:users:name"}},
        {"read:users", "Read users", {"read:users:name", "read:users:groups", "read:users:activity"}},
        {"read:users:name", "Read names of users", {}},
        {"read:users:groups", "Read users' groups", {}},
        {"read:users:activity", "Read when users were last active", {}},
        {"read:roles", "Read roles", {"read:roles:users", "read:roles:services", "read:roles:groups"}},
        {"read:roles:users", "Read users' roles", {}},
        {"read:roles:services", "Read services' roles", {}},
        {"read:roles:groups", "Read groups' roles", {}},
        {"users:activity", "Report activity of users", {"read:users:activity"}},
        {"admin:servers", "Read, start and stop servers and their state", {"admin:server_state", "servers"}},
        {"admin:server_state", "Read servers' internal state", {}},
        {"servers", "Read, start and stop servers", {"read:servers", "start:servers", "delete:servers"}},
        {"read:servers", "Read servers", {"read:users:name"}},
        {"start:servers", "Create, change and start servers", {}},
        {"delete:servers", "Stop and delete servers", {}},
        {"tokens", "Create, read and revoke tokens", {"read:tokens"}},
        {"read:tokens", "Read tokens", {}},
        {"admin:groups",
         "Create, change and delete groups",
         {"groups", "read:roles:groups", "delete:groups"}},
        {"groups", "Read groups and change their members", {"read:groups", "list:groups"}},
        {"list:groups", "List groups", {"read:groups:name"}},
        {"read:groups", "Read groups", {"read:groups:name"}},
        {"read:groups:name", "Read names of groups", {}},
        {"delete:groups", "Delete groups", {}},
        {"admin:services",
         "Create, change and delete services",
         {"list:services", "read:services", "read:roles:services"}},
        {"list:services", "List services", {"read:services:name"}},
        {"read:services", "Read services", {"read:services:name"}},
        {"read:services:name", "Read names of services", {}},
        {"read:hub", "Read facts about the hub", {}},
        {"access:servers", "Open servers", {}},
        {"access:services", "Open services", {}},
        {"users:shares", "Leave or read shares given to users", {"read:users:shares"}},
        {"groups:shares", "Leave or read shares given to groups", {"read:groups:shares"}},
        {"read:users:shares", "Read shares given to users", {}},
        {"read:groups:shares", "Read shares given to groups", {}},
        {"read:shares", "Read shares of servers", {}},
        {"shares",
         "Share servers with others",
         {"access:servers", "read:shares", "users:shares", "groups:shares"}},
        {"proxy", "Read and synchronise the proxy's routes", {}},
        {"shutdown", "Stop the hub", {}},
        {"read:metrics", "Read metrics", {}},
        {"read:audit", "Read who did what, and when", {}},
        {"gpu:admin", "Manage GPUs: reclaim and cordon them, end leases", {"gpu:lease"}},
        {"gpu:lease", "Take and return GPUs through the allocator", {"gpu:read"}},
        {"gpu:read", "See GPUs and who holds them", {}},
    };
    return table;
}

std::optional<std::vector<std::string>> default_role_scopes(std::string_view role) {
    using List = std::vector<std::string>;
    if (role == "user") return List{"self"};
    if (role == "admin")
        return List{
            "admin-ui",
            "admin:users",
            "admin:servers",
            "admin:services",
            "tokens",
            "admin:groups",
            "list:services",
            "read:services",
            "read:hub",
            "proxy",
            "shutdown",
            "access:services",
            "access:servers",
            "read:roles",
            "read:metrics",
            "read:audit",
            "shares",
            "gpu:admin"};
    if (role == "server") return List{"users:activity!user", "access:servers!server"};
    if (role == "token") return List{"inherit"};
    return std::nullopt;
}

std::string_view default_role_description(std::string_view role) {
    if (role == "user") return "Standard user privileges";
    if (role == "admin") return "Elevated privileges (can do anything)";
    if (role == "server") return "Post activity only";
    if (role == "token") return "Token with same permissions as its owner";
    return {};
}

}  // namespace berth::access
