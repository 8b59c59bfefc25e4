// Raw scopes: checked, resolved against their owner, expanded.
#include "access/scopes.hpp"

#include "access/impl/closure.hpp"

#include <algorithm>
#include <array>

namespace berth::access {

namespace {

struct RawScope {
    std::string_view base;
    bool filtered = false;
    std::optional<FilterKind> kind;         // none: not a kind there is
    std::optional<std::string_view> value;  // none: the owner-relative short form
};

std::optional<FilterKind> kind_named(std::string_view name) {
    if (name == "user") return FilterKind::user;
    if (name == "group") return FilterKind::group;
    if (name == "server") return FilterKind::server;
    if (name == "service") return FilterKind::service;
    return std::nullopt;
}

RawScope parse(std::string_view scope) {
    RawScope raw;
    const auto mark = scope.find('!');
    raw.base = scope.substr(0, mark);
    if (mark == std::string_view::npos) return raw;
    raw.filtered = true;
    const auto text = scope.substr(mark + 1);
    const auto equals = text.find('=');
    raw.kind = kind_named(text.substr(0, equals));
    if (equals != std::string_view::npos) raw.value = text.substr(equals + 1);
    return raw;
}

// Group filters need a name, servers a user and a slash; the rest may be owner-relative.
bool well_formed(const RawScope& raw) {
    if (!raw.filtered) return true;
    if (!raw.kind) return false;
    if (!raw.value) return *raw.kind != FilterKind::group;
    if (*raw.kind == FilterKind::server) {
        const auto slash = raw.value->find('/');
        return slash != std::string_view::npos && slash > 0;
    }
    return !raw.value->empty();
}

std::optional<Filter> resolve(const RawScope& raw, const Owner& owner) {
    if (raw.value) return Filter{*raw.kind, std::string(*raw.value)};
    switch (*raw.kind) {
        case FilterKind::user:
            if (owner.user) return Filter{FilterKind::user, *owner.user};
            break;
        case FilterKind::service:
            if (owner.service) return Filter{FilterKind::service, *owner.service};
            break;
        case FilterKind::server:
            if (owner.server) return Filter{FilterKind::server, owner.server->full_name()};
            break;
        case FilterKind::group:
            break;
    }
    return std::nullopt;
}

// `!server` names one server and says nothing about its user (§10.2).
bool carried(std::string_view base, const std::optional<Filter>& filter) {
    return !filter || filter->kind != FilterKind::server || !base.starts_with("read:user");
}

void expand_one(std::string_view scope, const Owner& owner, ScopeSet& into) {
    const auto raw = parse(scope);
    if (!well_formed(raw)) return;
    if (raw.base == "inherit" || raw.base == "(no_scope)") return;
    if (raw.base == "self") {
        if (!owner.user || raw.filtered) return;
        const Filter mine{FilterKind::user, *owner.user};
        for (const auto base : self_scopes())
            into.add(base, mine);
        return;
    }
    std::optional<Filter> filter;
    if (raw.filtered) {
        filter = resolve(raw, owner);
        if (!filter) return;
    }
    if (const auto* closure = closure_of(raw.base)) {
        for (const auto base : *closure)
            if (carried(base, filter)) into.add(base, filter);
    } else if (is_custom(raw.base)) {
        into.add(raw.base, filter);
    }
}

}  // namespace

std::string_view text_of(ScopeErrc reason) {
    switch (reason) {
        case ScopeErrc::malformed:
            return "the scope's filter is malformed";
        case ScopeErrc::unknown:
            return "there is no such scope";
    }
    return "unknown";
}

Result<void> check_known(std::span<const std::string> raw_scopes) {
    for (const auto& scope : raw_scopes) {
        const auto raw = parse(scope);
        if (closure_of(raw.base) == nullptr && !is_custom(raw.base))
            return Error{ScopeErrc::unknown, "Scope '" + scope + "' does not exist"};
        if (!well_formed(raw))
            return Error{
                ScopeErrc::malformed,
                "Scope '" + scope +
                    "' has a malformed filter; write it like !user=name, !group=name, !server=user/name"};
    }
    return {};
}

bool is_known(std::string_view raw_scope) {
    const std::array<std::string, 1> one{std::string(raw_scope)};
    return check_known(one).has_value();
}

ScopeSet expand(std::span<const std::string> raw_scopes, const Owner& owner) {
    ScopeSet set;
    for (const auto& scope : raw_scopes)
        expand_one(scope, owner, set);
    return set;
}

ScopeSet identify_scopes(const Owner& owner) {
    ScopeSet set;
    if (owner.user) {
        set.add("read:users:name", Filter{FilterKind::user, *owner.user});
        set.add("read:users:groups", Filter{FilterKind::user, *owner.user});
    }
    if (owner.service) set.add("read:services:name", Filter{FilterKind::service, *owner.service});
    return set;
}

ScopeSet access_scope_of(const std::optional<ServerKey>& server, const std::optional<ServiceName>& service) {
    ScopeSet set;
    if (server) set.add("access:servers", Filter{FilterKind::server, server->full_name()});
    if (service) set.add("access:services", Filter{FilterKind::service, service->value});
    return set;
}

ScopeSet effective_token_scopes(
    std::span<const std::string> raw_token_scopes,
    const Owner& owner,
    const ScopeSet& owner_scopes,
    const ScopeSet& client_access,
    const Memberships& memberships) {
    if (std::find(raw_token_scopes.begin(), raw_token_scopes.end(), "inherit") != raw_token_scopes.end())
        return owner_scopes;
    auto wanted = expand(raw_token_scopes, owner);
    wanted.merge(client_access);
    wanted.merge(identify_scopes(owner));
    return intersect(wanted, owner_scopes, memberships);
}

std::string describe_scope(std::string_view scope) {
    const auto raw = parse(scope);
    std::string sentence(raw.base);
    for (const auto& row : scope_table())
        if (row.name == raw.base) sentence = row.sentence;
    if (!raw.filtered || !raw.kind) return sentence;
    constexpr std::string_view kWhose[] = {" of user ", " of group ", " of server ", " of service "};
    sentence += kWhose[static_cast<std::size_t>(*raw.kind)];
    sentence += raw.value.value_or("itself");
    return sentence;
}

}  // namespace berth::access
