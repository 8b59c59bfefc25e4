// The scope algebra (hub-protocol §10, Appendix B): one table of named rights and pure functions over it. No
// I/O, no state; group membership is asked of the caller's Memberships. Stages, as JupyterHub names them: raw
// (as written, with `self`, `inherit`, `!user`), expanded (every implied right spelled out, filters
// resolved), parsed (ScopeSet), intersected. Invariants, held by scopes_test.cpp: expanding twice changes
// nothing; an intersection never gains.
//
// Berth's own: read:audit; gpu:admin > gpu:lease > gpu:read. `self` holds gpu:read!user={me}: one's own
// leases and how much is free; the unfiltered scope also shows who holds what.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::access {

enum class ScopeErrc { malformed = 1, unknown };
std::string_view text_of(ScopeErrc reason);
BERTH_ERROR_CATEGORY(ScopeErrc, "scope")

// One row of the table. `sentence` is what a consent page says.
struct ScopeInfo {
    std::string_view name;
    std::string_view sentence;
    std::vector<std::string_view> implies;  // directly
};
std::span<const ScopeInfo> scope_table();
// The sentence for a raw or expanded scope, its filter in words: "Start servers of user ann".
std::string describe_scope(std::string_view scope);

enum class FilterKind : std::uint8_t { user, group, server, service };
struct Filter {
    FilterKind kind{};
    std::string value;  // server: "user/server"
    auto operator<=>(const Filter&) const = default;
};

// Group membership, and whose servers are whose. The directory answers it.
class Memberships {
public:
    virtual ~Memberships() = default;
    virtual bool is_member(std::string_view user, std::string_view group) const = 0;
};

// Whom the short forms `!user`, `!service`, `!server` and `self` stand for. What is missing resolves to
// nothing.
struct Owner {
    std::optional<std::string> user;
    std::optional<std::string> service;
    std::optional<ServerKey> server;
};

// What a right is asked for.
struct Target {
    enum class Kind : std::uint8_t { none, user, server, group, service };
    Kind kind = Kind::none;
    std::string name;         // user of a server, else the thing's own name
    std::string server_name;  // Kind::server only; "" is the default server

    static Target none() { return {}; }
    static Target of(const UserName& user) { return {Kind::user, user.value, {}}; }
    static Target of(const ServerKey& key) { return {Kind::server, key.user.value, key.server.value}; }
    static Target of(const GroupName& group) { return {Kind::group, group.value, {}}; }
    static Target of(const ServiceName& service) { return {Kind::service, service.value, {}}; }
    std::string to_string()
        const;  // "", "user:ann", "server:ann/gpu", "group:g", "service:s": for audit records
};

// Where one right holds: everywhere, or for what the filters name (sorted, none twice).
struct Reach {
    bool everywhere = false;
    std::vector<Filter> filters;
    bool operator==(const Reach&) const = default;
    bool covers(const Target& target, const Memberships& memberships) const;
};

// Expanded scopes, parsed: base -> where it holds.
class ScopeSet {
public:
    ScopeSet() = default;
    // From expanded scopes; what does not parse is left out.
    static ScopeSet of(std::span<const std::string> expanded_scopes);

    // True when `scope` (a base, without filter) is held for `target`; for Target::none() only everywhere
    // counts.
    bool has(std::string_view scope, const Target& target, const Memberships& memberships) const;
    bool has_everywhere(std::string_view scope) const;
    bool has_anywhere(std::string_view scope) const { return find(scope) != nullptr; }
    const Reach* find(std::string_view scope) const;
    // True when every right in `other` is held here too.
    bool contains(const ScopeSet& other, const Memberships& memberships) const;

    void add(std::string_view base, const std::optional<Filter>& filter);
    void merge(const ScopeSet& other);
    bool empty() const { return entries_.empty(); }
    // Sorted scope strings; filters shadowed by an unfiltered grant are gone.
    std::vector<std::string> strings() const;
    bool operator==(const ScopeSet&) const = default;

private:
    friend ScopeSet intersect(const ScopeSet&, const ScopeSet&, const Memberships&);
    struct Entry {
        std::string base;
        Reach reach;
        bool operator==(const Entry&) const = default;
    };
    std::vector<Entry> entries_;  // sorted by base
};

// Errors: malformed, unknown (names the scope). `self`, `inherit` and the short forms are known.
Result<void> check_known(std::span<const std::string> raw_scopes);
bool is_known(std::string_view raw_scope);

// Expands raw scopes for that owner. `inherit` adds nothing here: effective_token_scopes() handles it.
// Unknown scopes and filters that resolve to nobody are left out.
ScopeSet expand(std::span<const std::string> raw_scopes, const Owner& owner);
ScopeSet intersect(const ScopeSet& a, const ScopeSet& b, const Memberships& memberships);

// Appendix B.7: what a token may do. `client_access` is what its OAuth client adds (access scope), or
// nothing.
ScopeSet effective_token_scopes(
    std::span<const std::string> raw_token_scopes,
    const Owner& owner,
    const ScopeSet& owner_scopes,
    const ScopeSet& client_access,
    const Memberships& memberships);
// Appendix B.8.
ScopeSet identify_scopes(const Owner& owner);
// Appendix B.9: of a client bound to a server or a service; empty for the hub's own.
ScopeSet access_scope_of(const std::optional<ServerKey>& server, const std::optional<ServiceName>& service);

// Default roles of §10.4: "user", "admin", "server", "token"; raw scopes, or nothing.
std::optional<std::vector<std::string>> default_role_scopes(std::string_view role);
std::string_view default_role_description(std::string_view role);

}  // namespace berth::access
