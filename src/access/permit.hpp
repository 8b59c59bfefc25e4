// Proof that one call was checked. Use cases take a Permit; only AccessCheck makes one, so an unchecked call
// has no argument to pass. Refusals are worded as JupyterHub words them (hub-protocol §10.6): a right held,
// but for somebody else's resource, answers as if the resource were not there.
#pragma once

#include "access/principal.hpp"
#include "access/scopes.hpp"
#include "base/result.hpp"

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace berth::access {

enum class AccessErrc {
    not_authenticated = 1,  // 403 "Missing or invalid credentials."
    missing_scope,          // 403 "Action is not authorized with current scopes; requires any of [a, b]"
    hidden,                 // 404 "No access to resources or resources not found"
    admin_only,             // 403: admin flags are given and changed by administrators only (CVE-2024-41942)
};
std::string_view text_of(AccessErrc reason);
BERTH_ERROR_CATEGORY(AccessErrc, "access")

class Permit {
public:
    const std::string& scope() const { return scope_; }  // that allowed it
    const Target& target() const { return target_; }
    const std::string& principal_name() const { return principal_; }  // for audit: "user:ann"

private:
    friend class AccessCheck;  // the only maker
    Permit(std::string scope, Target target, std::string principal)
        : scope_(std::move(scope)), target_(std::move(target)), principal_(std::move(principal)) {}
    std::string scope_;
    Target target_;
    std::string principal_;
};

class AccessCheck {
public:
    explicit AccessCheck(const Memberships& memberships) : memberships_(&memberships) {}

    // The first of `any_of` held for `target`. With Target::none() only unfiltered grants count.
    Result<Permit> check(
        const Principal& principal, std::span<const std::string_view> any_of, const Target& target) const;
    Result<Permit> check(
        const Principal& principal,
        std::initializer_list<std::string_view> any_of,
        const Target& target) const {
        return check(principal, std::span(any_of.begin(), any_of.size()), target);
    }
    // For the endpoints that list and then show only what the scopes reach (§10.7): any filter will do.
    Result<Permit> check_listing(const Principal& principal, std::span<const std::string_view> any_of) const;
    Result<Permit> check_listing(
        const Principal& principal, std::initializer_list<std::string_view> any_of) const {
        return check_listing(principal, std::span(any_of.begin(), any_of.size()));
    }
    // For what everybody signed in may do to themselves (whoami, own pages); scope() is "identify".
    Result<Permit> check_signed_in(const Principal& principal) const;
    // Giving or changing admin rights: `principal` must hold the scope and be an administrator.
    Result<Permit> check_admin_change(
        const Principal& principal, std::string_view scope, const Target& target) const;

    bool allows(const Principal& principal, std::string_view scope, const Target& target) const {
        return principal.scopes().has(scope, target, *memberships_);
    }
    // An act of the hub itself, under its name and with the narrowest scope: system("system:reaper",
    // "servers", …).
    static Permit system(std::string_view name, std::string_view scope, const Target& target);

    const Memberships& memberships() const { return *memberships_; }

private:
    const Memberships* memberships_;
};

}  // namespace berth::access
