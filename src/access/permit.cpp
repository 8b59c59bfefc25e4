#include "access/permit.hpp"

#include <algorithm>

namespace berth::access {

std::string_view name_of(PrincipalKind kind) {
    switch (kind) {
        case PrincipalKind::anonymous:
            return "anonymous";
        case PrincipalKind::user:
            return "user";
        case PrincipalKind::service:
            return "service";
        case PrincipalKind::system:
            return "system";
    }
    return "unknown";
}

const ScopeSet& Principal::scopes() const {
    static const ScopeSet nothing;
    return granted ? *granted : nothing;
}

std::string Principal::audit_name() const {
    const std::string kind_name(name_of(kind));
    return kind == PrincipalKind::anonymous ? kind_name : kind_name + ":" + name;
}

std::string_view text_of(AccessErrc reason) {
    switch (reason) {
        case AccessErrc::not_authenticated:
            return "not authenticated";
        case AccessErrc::missing_scope:
            return "scope missing";
        case AccessErrc::hidden:
            return "scope held for other resources only";
        case AccessErrc::admin_only:
            return "administrators only";
    }
    return "unknown";
}

namespace {

Error not_authenticated() {
    return Error{AccessErrc::not_authenticated, "Missing or invalid credentials."};
}

Error missing(std::span<const std::string_view> any_of) {
    std::string list;
    for (const auto scope : any_of) {
        if (!list.empty()) list += ", ";
        list += scope;
    }
    return Error{
        AccessErrc::missing_scope,
        "Action is not authorized with current scopes; requires any of [" + list + "]"};
}

}  // namespace

Result<Permit> AccessCheck::check(
    const Principal& principal, std::span<const std::string_view> any_of, const Target& target) const {
    if (!principal.authenticated()) return not_authenticated();
    const auto& scopes = principal.scopes();
    bool held_elsewhere = false;
    for (const auto scope : any_of) {
        const auto* reach = scopes.find(scope);
        if (reach == nullptr) continue;
        if (reach->covers(target, *memberships_))
            return Permit(std::string(scope), target, principal.audit_name());
        held_elsewhere = true;
    }
    // Without a resource in the URL there is nothing to hide, and a filtered right is no right
    // (GHSA-69wv-m5fw-2fhp).
    if (!held_elsewhere || target.kind == Target::Kind::none) return missing(any_of);
    return Error{AccessErrc::hidden, "No access to resources or resources not found"};
}

Result<Permit> AccessCheck::check_listing(
    const Principal& principal, std::span<const std::string_view> any_of) const {
    if (!principal.authenticated()) return not_authenticated();
    for (const auto scope : any_of)
        if (principal.scopes().has_anywhere(scope))
            return Permit(std::string(scope), Target::none(), principal.audit_name());
    return missing(any_of);
}

Result<Permit> AccessCheck::check_signed_in(const Principal& principal) const {
    if (!principal.authenticated()) return not_authenticated();
    return Permit("identify", Target::none(), principal.audit_name());
}

Result<Permit> AccessCheck::check_admin_change(
    const Principal& principal, std::string_view scope, const Target& target) const {
    const std::string_view any_of[] = {scope};
    BERTH_TRY(auto permit, check(principal, any_of, target));
    if (!principal.admin)
        return Error{AccessErrc::admin_only, "Only administrators may give or change administrator rights."};
    return permit;
}

Permit AccessCheck::system(std::string_view name, std::string_view scope, const Target& target) {
    return {std::string(scope), target, std::string(name)};
}

}  // namespace berth::access
