// Roles, effective scopes, principals.
#include "identity/impl/state.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

// Far more than are active at once; beyond it, begin anew rather than keep books about it.
constexpr std::size_t kMostCached = 16'384;

template <class Make>
ScopesPtr cached(std::unordered_map<std::int64_t, ScopesPtr>& cache, std::int64_t id, Make make) {
    if (const auto found = cache.find(id); found != cache.end()) return found->second;
    if (cache.size() >= kMostCached) cache.clear();
    auto scopes = std::make_shared<const access::ScopeSet>(make());
    cache.emplace(id, scopes);
    return scopes;
}

template <class List, class Id>
bool holds(const List& list, Id id) {
    return std::find(list.begin(), list.end(), id) != list.end();
}

void add(std::vector<std::string>& names, std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

}  // namespace

std::vector<std::string> Directory::role_names_of(const User& user) const {
    std::vector<std::string> names{"user"};
    if (user.row.admin) add(names, "admin");
    for (const auto& [name, role] : state_->roles)
        if (holds(role.users, user.id())) add(names, name);
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> Directory::role_names_of(const Group& group) const {
    std::vector<std::string> names;
    for (const auto& [name, role] : state_->roles)
        if (holds(role.groups, group.row.id)) names.push_back(name);
    return names;
}

std::vector<std::string> Directory::role_names_of(const store::ServiceRow& service) const {
    std::vector<std::string> names;
    if (service.admin) names.emplace_back("admin");
    for (const auto& [name, role] : state_->roles)
        if (holds(role.services, service.id)) add(names, name);
    std::sort(names.begin(), names.end());
    return names;
}

std::optional<std::vector<std::string>> Directory::role_scopes(std::string_view role) const {
    // "admin" cannot be overridden (§10.4).
    if (role == "admin") return access::default_role_scopes(role);
    const auto found = state_->roles.find(std::string(role));
    if (found != state_->roles.end()) return found->second.scopes;
    return access::default_role_scopes(role);
}

ScopesPtr Directory::scopes_of(const User& user) const {
    return cached(state_->user_scopes, number_of(user.id()), [&] {
        const access::Owner owner{user.name().value, std::nullopt, std::nullopt};
        access::ScopeSet scopes;
        const auto merge_role = [&](std::string_view role) {
            if (const auto raw = role_scopes(role)) scopes.merge(access::expand(*raw, owner));
        };
        for (const auto& role : role_names_of(user))
            merge_role(role);
        for (const auto id : user.groups)
            if (const auto* group = find(id))
                for (const auto& role : role_names_of(*group))
                    merge_role(role);
        return scopes;
    });
}

ScopesPtr Directory::scopes_of(const store::ServiceRow& service) const {
    return cached(state_->service_scopes, number_of(service.id), [&] {
        const access::Owner owner{std::nullopt, service.name.value, std::nullopt};
        access::ScopeSet scopes;
        for (const auto& role : role_names_of(service))
            if (const auto raw = role_scopes(role)) scopes.merge(access::expand(*raw, owner));
        return scopes;
    });
}

access::Owner Directory::owner_of(const Token& token) const {
    access::Owner owner;
    if (token.row.user)
        if (const auto* user = find(*token.row.user)) owner.user = user->name().value;
    if (token.row.service)
        if (const auto* service = find(*token.row.service)) owner.service = service->name.value;
    const auto server_key = [this](ServerId id) -> std::optional<ServerKey> {
        const auto found = state_->servers.find(number_of(id));
        if (found == state_->servers.end()) return std::nullopt;
        const auto* user = find(found->second.user);
        if (user == nullptr) return std::nullopt;
        return ServerKey{user->name(), found->second.name};
    };
    if (token.row.server) owner.server = server_key(*token.row.server);
    if (const auto* client = find_client(token.row.client_id)) {
        if (!owner.server && client->server) owner.server = server_key(*client->server);
        if (!owner.service && client->service)
            if (const auto* service = find(*client->service)) owner.service = service->name.value;
    }
    return owner;
}

ScopesPtr Directory::scopes_of(const Token& token) const {
    return cached(state_->token_scopes, number_of(token.row.id), [&] {
        ScopesPtr owner_scopes;
        if (token.row.user) {
            if (const auto* user = find(*token.row.user)) owner_scopes = scopes_of(*user);
        } else if (token.row.service) {
            if (const auto* service = find(*token.row.service)) owner_scopes = scopes_of(*service);
        }
        if (!owner_scopes) return access::ScopeSet{};
        access::ScopeSet client_access;
        if (const auto* client = find_client(token.row.client_id))
            client_access = access::access_scope_of(server_of(*client), service_of(*client));
        return access::effective_token_scopes(
            token.row.scopes, owner_of(token), *owner_scopes, client_access, *this);
    });
}

access::Principal Directory::principal_of(const User& user) const {
    access::Principal principal;
    principal.kind = access::PrincipalKind::user;
    principal.name = user.name().value;
    principal.user = user.id();
    principal.admin = user.row.admin;
    principal.granted = scopes_of(user);
    return principal;
}

access::Principal Directory::principal_of(const Token& token) const {
    access::Principal principal;
    if (token.row.user) {
        const auto* user = find(*token.row.user);
        if (user == nullptr) return principal;
        principal.kind = access::PrincipalKind::user;
        principal.name = user->name().value;
        principal.user = user->id();
        principal.admin = user->row.admin;
    } else {
        const auto* service = token.row.service ? find(*token.row.service) : nullptr;
        if (service == nullptr) return principal;
        principal.kind = access::PrincipalKind::service;
        principal.name = service->name.value;
        principal.service = service->id;
        principal.admin = service->admin;
    }
    principal.granted = scopes_of(token);
    principal.token = token.row.id;
    principal.session_id = token.row.session_id;
    principal.by_token = true;
    if (token.row.server) principal.server = owner_of(token).server;
    if (token.of_browser_login()) principal.oauth_client = token.row.client_id;
    return principal;
}

}  // namespace berth::identity
