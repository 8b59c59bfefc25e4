// Users in bulk (hub-protocol §10.7, §11.1, §11.4).
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "api/paging.hpp"
#include "base/text.hpp"
#include "identity/names.hpp"

#include <algorithm>
#include <tuple>

namespace berth::api {
namespace {

struct Query {
    std::string state;        // "", active, ready, inactive
    std::string name_filter;  // lower case
    std::string sort = "id";
    bool descending = false;
};

Result<Query> query_of(const http::Request& request) {
    Query query;
    query.state = request.query_value("state").value_or("");
    if (!query.state.empty() && query.state != "active" && query.state != "ready" &&
        query.state != "inactive") {
        return bad_request("'state' must be one of active, ready, inactive");
    }
    query.name_filter = identity::to_lower(request.query_value("name_filter").value_or(""));
    if (auto sort = request.query_value("sort")) {
        query.descending = sort->starts_with('-');
        query.sort = sort->substr(query.descending ? 1 : 0);
        if (query.sort != "id" && query.sort != "name" && query.sort != "last_activity") {
            return bad_request(
                "'sort' must be one of id, name, last_activity, with '-' before it for the reverse");
        }
    }
    return query;
}

// `list:users` with `!user` and `!group` filters shows those; a `!server` filter alone shows nothing.
bool listed(const Dependencies& hub, const access::Reach& reach, const identity::User& user) {
    return reach.everywhere || reach.covers(access::Target::of(user.name()), hub.directory);
}

// All that pass, by id or by name. Those with servers are few, so they are looked for among the servers.
std::vector<const identity::User*> matching_users(
    const Dependencies& hub, const Query& query, const access::Reach& reach) {
    std::vector<UserId> owners;
    if (!query.state.empty()) owners = hub.servers.owners(query.state == "ready");
    std::vector<const identity::User*> users;
    if (query.state == "active" || query.state == "ready") {
        for (const auto id : owners) {
            if (const auto* user = hub.directory.find(id)) users.push_back(user);
        }
        if (query.sort == "name")
            std::sort(users.begin(), users.end(), [](auto* a, auto* b) { return a->name() < b->name(); });
    } else if (query.sort == "name") {
        for (const auto* user : hub.directory.users_by_name()) {
            if (!std::binary_search(owners.begin(), owners.end(), user->id())) users.push_back(user);
        }
    } else {
        auto owner = owners.begin();  // both are in the order of ids
        for (const auto* user : hub.directory.users_by_id()) {
            while (owner != owners.end() && *owner < user->id())
                ++owner;
            if (owner == owners.end() || *owner != user->id()) users.push_back(user);
        }
    }
    std::erase_if(users, [&](const auto* user) {
        const bool named =
            query.name_filter.empty() || user->name().value.find(query.name_filter) != std::string::npos;
        return !named || !listed(hub, reach, *user);
    });
    return users;
}

// The page of them: only what is shown is put in order.
std::vector<const identity::User*> page_by_activity(
    const std::vector<const identity::User*>& users, const Page& page, bool descending) {
    using Key = std::tuple<Timestamp, UserId, const identity::User*>;
    std::vector<Key> keys;
    keys.reserve(users.size());
    for (const auto* user : users)
        keys.emplace_back(user->row.last_activity.value_or(Timestamp{}), user->id(), user);
    const auto before = [descending](const Key& a, const Key& b) { return descending ? b < a : a < b; };
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(std::min(page.offset, keys.size()));
    const auto last =
        keys.begin() + static_cast<std::ptrdiff_t>(std::min(page.offset + page.limit, keys.size()));
    if (first != keys.end()) std::nth_element(keys.begin(), first, keys.end(), before);
    std::partial_sort(first, last, keys.end(), before);
    std::vector<const identity::User*> shown;
    for (auto key = first; key != last; ++key)
        shown.push_back(std::get<2>(*key));
    return shown;
}

std::vector<const identity::User*> page_of(
    std::vector<const identity::User*> users, const Page& page, const Query& query) {
    if (query.sort == "last_activity") return page_by_activity(users, page, query.descending);
    if (query.descending) std::reverse(users.begin(), users.end());
    const auto first = users.begin() + static_cast<std::ptrdiff_t>(std::min(page.offset, users.size()));
    const auto last =
        users.begin() + static_cast<std::ptrdiff_t>(std::min(page.offset + page.limit, users.size()));
    return {first, last};
}

Result<void> check_filters(const access::Reach& reach) {
    const bool usable =
        reach.everywhere || std::any_of(reach.filters.begin(), reach.filters.end(), [](const auto& f) {
            return f.kind == access::FilterKind::user || f.kind == access::FilterKind::group;
        });
    if (!usable)
        return Error{
            access::AccessErrc::missing_scope,
            "Action is not authorized with current scopes; requires any of [list:users]"};
    return {};
}

}  // namespace

awaitable<Result<http::Response>> get_users(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto page, requested_page(call.request));
    BERTH_CO_TRY(const auto query, query_of(call.request));
    const auto* reach = call.who().scopes().find("list:users");
    if (reach == nullptr) co_return Error{ApiErrc::forbidden, {}};
    BERTH_CO_CHECK(check_filters(*reach));
    const auto servers = query_flag(call.request, "include_stopped_servers") ? Servers::all : Servers::active;
    const UserView view(hub, call.who());
    const bool everybody = reach->everywhere && query.name_filter.empty() && query.state.empty();
    std::vector<const identity::User*> shown;
    std::size_t total = 0;
    if (everybody && query.sort != "last_activity" && !query.descending) {
        // The common page costs what it shows, however many users there are.
        const auto users = query.sort == "name" ? hub.directory.users_by_name() : hub.directory.users_by_id();
        total = users.size();
        const auto first = std::min(page.offset, total);
        const auto some = users.subspan(first, std::min(page.limit, total - first));
        shown.assign(some.begin(), some.end());
    } else {
        auto users = matching_users(hub, query, *reach);
        total = users.size();
        shown = page_of(std::move(users), page, query);
    }
    std::string items;
    items.reserve(shown.size() * 256);
    for (const auto* user : shown) {
        const auto before = items.size();
        if (before != 0) items += ',';
        if (!view.append(items, *user, servers)) items.resize(before);
    }
    co_return page_response(call.request, page, total, std::move(items));
}

awaitable<Result<http::Response>> post_users(Dependencies& hub, Call& call) {
    constexpr std::string_view kKeys[] = {"usernames", "admin"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto usernames, texts_member(body, "usernames"));
    BERTH_CO_TRY(const auto admin, flag_member(body, "admin"));
    if (!usernames || usernames->empty()) co_return bad_request("Must specify at least one user to create");
    std::vector<identity::NewUser> wanted;
    wanted.reserve(usernames->size());
    std::string invalid;
    bool makes_admin = admin.value_or(false);
    for (const auto& text : *usernames) {
        auto name = identity::user_name(text);
        if (!name) {
            if (!invalid.empty()) invalid += ", ";
            invalid += ellipsized(text, 64);
            continue;
        }
        makes_admin = makes_admin || hub.sign_in.listed_admin(*name);
        const bool is_admin = admin.value_or(false) || hub.sign_in.listed_admin(*name);
        wanted.push_back({std::move(*name), is_admin});
    }
    if (!invalid.empty()) co_return bad_request("Invalid username(s): " + invalid);
    if (makes_admin) {
        const access::AccessCheck access(hub.directory);
        BERTH_CO_CHECK(access.check_admin_change(call.who(), "admin:users", access::Target::none()));
    }
    BERTH_CO_TRY(
        const auto ids,
        co_await hub.directory.create_users(std::move(wanted), call.now, audit_of(call, "user.create", "")));
    if (ids.empty())
        co_return Error{
            ApiErrc::conflict, "All " + std::to_string(usernames->size()) + " users already exist"};
    const UserView view(hub, call.who());
    std::string out = "[";
    for (const auto id : ids) {
        const auto before = out.size();
        if (before != 1) out += ',';
        const auto* user = hub.directory.find(id);
        if (user == nullptr || !view.append(out, *user, Servers::active)) out.resize(before);
    }
    out += ']';
    co_return json_text(201, std::move(out));
}

}  // namespace berth::api
