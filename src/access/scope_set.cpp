// Parsed scopes: what is held where, and how two sets meet.
#include "access/scopes.hpp"

#include <algorithm>

namespace berth::access {

namespace {

constexpr std::string_view kKinds[] = {"user", "group", "server", "service"};

std::string_view user_of_server(std::string_view full_name) {
    return full_name.substr(0, full_name.find('/'));
}

bool holds(const std::vector<Filter>& filters, FilterKind kind, std::string_view value) {
    return std::any_of(filters.begin(), filters.end(), [&](const Filter& each) {
        return each.kind == kind && each.value == value;
    });
}

// A user's own right or one by a group of theirs.
bool reaches_user(const std::vector<Filter>& filters, std::string_view user, const Memberships& memberships) {
    return std::any_of(filters.begin(), filters.end(), [&](const Filter& each) {
        if (each.kind == FilterKind::user) return each.value == user;
        return each.kind == FilterKind::group && memberships.is_member(user, each.value);
    });
}

void insert_sorted(std::vector<Filter>& filters, const Filter& filter) {
    const auto place = std::lower_bound(filters.begin(), filters.end(), filter);
    if (place == filters.end() || *place != filter) filters.insert(place, filter);
}

// What of `filters` the other side also reaches.
void meet(
    const std::vector<Filter>& filters,
    const std::vector<Filter>& others,
    const Memberships& memberships,
    std::vector<Filter>& into) {
    for (const auto& each : filters) {
        const bool same = std::binary_search(others.begin(), others.end(), each);
        const bool inside = (each.kind == FilterKind::server &&
                             reaches_user(others, user_of_server(each.value), memberships)) ||
                            (each.kind == FilterKind::user && reaches_user(others, each.value, memberships));
        if (same || inside) insert_sorted(into, each);
    }
}

}  // namespace

std::string Target::to_string() const {
    switch (kind) {
        case Kind::none:
            return {};
        case Kind::user:
            return "user:" + name;
        case Kind::server:
            return "server:" + name + "/" + server_name;
        case Kind::group:
            return "group:" + name;
        case Kind::service:
            return "service:" + name;
    }
    return {};
}

bool Reach::covers(const Target& target, const Memberships& memberships) const {
    if (everywhere) return true;
    switch (target.kind) {
        case Target::Kind::none:
            return false;
        case Target::Kind::user:
            return reaches_user(filters, target.name, memberships);
        case Target::Kind::server:
            return holds(filters, FilterKind::server, target.name + "/" + target.server_name) ||
                   reaches_user(filters, target.name, memberships);
        case Target::Kind::group:
            return holds(filters, FilterKind::group, target.name);
        case Target::Kind::service:
            return holds(filters, FilterKind::service, target.name);
    }
    return false;
}

ScopeSet ScopeSet::of(std::span<const std::string> expanded_scopes) {
    ScopeSet set;
    for (const std::string_view scope : expanded_scopes) {
        const auto mark = scope.find('!');
        if (mark == std::string_view::npos) {
            set.add(scope, std::nullopt);
            continue;
        }
        const auto text = scope.substr(mark + 1);
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        for (std::size_t kind = 0; kind < std::size(kKinds); ++kind)
            if (text.substr(0, equals) == kKinds[kind])
                set.add(
                    scope.substr(0, mark),
                    Filter{static_cast<FilterKind>(kind), std::string(text.substr(equals + 1))});
    }
    return set;
}

const Reach* ScopeSet::find(std::string_view scope) const {
    const auto place = std::lower_bound(
        entries_.begin(), entries_.end(), scope, [](const Entry& entry, std::string_view base) {
            return entry.base < base;
        });
    return place != entries_.end() && place->base == scope ? &place->reach : nullptr;
}

bool ScopeSet::has(std::string_view scope, const Target& target, const Memberships& memberships) const {
    const auto* reach = find(scope);
    return reach != nullptr && reach->covers(target, memberships);
}

bool ScopeSet::has_everywhere(std::string_view scope) const {
    const auto* reach = find(scope);
    return reach != nullptr && reach->everywhere;
}

bool ScopeSet::contains(const ScopeSet& other, const Memberships& memberships) const {
    return std::all_of(other.entries_.begin(), other.entries_.end(), [&](const Entry& entry) {
        const auto* mine = find(entry.base);
        if (mine == nullptr) return false;
        if (mine->everywhere) return true;
        if (entry.reach.everywhere) return false;
        std::vector<Filter> shared;
        meet(entry.reach.filters, mine->filters, memberships, shared);
        return shared.size() == entry.reach.filters.size();
    });
}

void ScopeSet::add(std::string_view base, const std::optional<Filter>& filter) {
    auto place = std::lower_bound(
        entries_.begin(), entries_.end(), base, [](const Entry& entry, std::string_view name) {
            return entry.base < name;
        });
    if (place == entries_.end() || place->base != base)
        place = entries_.insert(place, Entry{std::string(base), {}});
    auto& reach = place->reach;
    if (reach.everywhere) return;
    if (filter) {
        insert_sorted(reach.filters, *filter);
    } else {
        reach.everywhere = true;
        reach.filters.clear();
    }
}

void ScopeSet::merge(const ScopeSet& other) {
    for (const auto& entry : other.entries_) {
        if (entry.reach.everywhere) add(entry.base, std::nullopt);
        for (const auto& filter : entry.reach.filters)
            add(entry.base, filter);
    }
}

std::vector<std::string> ScopeSet::strings() const {
    std::vector<std::string> texts;
    for (const auto& entry : entries_) {
        if (entry.reach.everywhere) texts.push_back(entry.base);
        for (const auto& filter : entry.reach.filters)
            texts.push_back(
                entry.base + "!" + std::string(kKinds[static_cast<std::size_t>(filter.kind)]) + "=" +
                filter.value);
    }
    std::sort(texts.begin(), texts.end());
    return texts;
}

ScopeSet intersect(const ScopeSet& a, const ScopeSet& b, const Memberships& memberships) {
    ScopeSet result;
    for (const auto& entry : a.entries_) {
        const auto* other = b.find(entry.base);
        if (other == nullptr) continue;
        Reach reach;
        if (other->everywhere) {
            reach = entry.reach;
        } else if (entry.reach.everywhere) {
            reach = *other;
        } else {
            meet(entry.reach.filters, other->filters, memberships, reach.filters);
            meet(other->filters, entry.reach.filters, memberships, reach.filters);
        }
        if (reach.everywhere || !reach.filters.empty())
            result.entries_.push_back({entry.base, std::move(reach)});  // stays sorted
    }
    return result;
}

}  // namespace berth::access
