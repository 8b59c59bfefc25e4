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
#include <utility>

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

struct Selection {
    std::vector<const identity::User*> shown;
    std::size_t total = 0;
};

// The order asked for, over everybody.
class Order {
public:
    Order(const Dependencies& hub, const Query& query) : descending_(query.descending) {
        if (query.sort == "last_activity")
            by_activity_ = hub.directory.users_by_activity();
        else
            users_ = query.sort == "name" ? hub.directory.users_by_name() : hub.directory.users_by_id();
    }
    std::size_t size() const { return users_.size() + by_activity_.size(); }
    const identity::User* operator[](std::size_t at) const {
        if (descending_) at = size() - 1 - at;
        return users_.empty() ? by_activity_[at].user : users_[at];
    }

private:
    bool descending_;
    std::span<const identity::User* const> users_;
    std::span<const identity::ActivityKey> by_activity_;
};

bool comes_before(const Query& query, const identity::User* a, const identity::User* b) {
    if (query.descending) std::swap(a, b);
    if (query.sort == "name") return a->name() < b->name();
    if (query.sort == "id") return a->id() < b->id();
    const auto key = [](const auto* user) {
        return std::pair(user->row.last_activity.value_or(Timestamp{}), user->id());
    };
    return key(a) < key(b);
}

// Of few: only what is shown is put in order.
Selection page_of_few(std::vector<const identity::User*> users, const Page& page, const Query& query) {
    const auto before = [&query](const auto* a, const auto* b) { return comes_before(query, a, b); };
    const auto place = [&users](std::size_t at) {
        return users.begin() + static_cast<std::ptrdiff_t>(std::min(at, users.size()));
    };
    const auto first = place(page.offset);
    const auto last = place(page.offset + page.limit);
    if (query.sort == "id" && !query.descending) return {{first, last}, users.size()};
    if (first != users.end()) std::nth_element(users.begin(), first, users.end(), before);
    std::partial_sort(first, last, users.end(), before);
    return {{first, last}, users.size()};
}

// Of everybody: one after another, until the page is full when `total` is known already.
template <class Passes>
Selection page_of_many(
    const Order& order, const Page& page, std::optional<std::size_t> total, const Passes& passes) {
    Selection selection;
    std::size_t passed = 0;
    for (std::size_t at = 0; at < order.size(); ++at) {
        if (total && selection.shown.size() == page.limit) break;
        if (!passes(*order[at])) continue;
        if (passed >= page.offset && selection.shown.size() < page.limit)
            selection.shown.push_back(order[at]);
        ++passed;
    }
    selection.total = total.value_or(passed);
    return selection;
}

// Pages cost what they show, however many users there are: all in one of three orders, those with servers
// (few) from the servers, those with a part in their name from the text of all names. Only who may list some
// of the users makes the hub look at each.
Selection select(const Dependencies& hub, const Query& query, const access::Reach& reach, const Page& page) {
    constexpr std::size_t kFew = 4096;
    const auto owners =
        query.state.empty() ? std::vector<UserId>() : hub.servers.owners(query.state == "ready");
    const bool wants_owners = query.state == "active" || query.state == "ready";
    const auto passes_state = [&](const identity::User& user) {
        return query.state.empty() ||
               std::binary_search(owners.begin(), owners.end(), user.id()) == wants_owners;
    };
    const Order order(hub, query);
    if (!query.name_filter.empty()) {
        auto named = hub.directory.users_holding(query.name_filter);
        std::erase_if(
            named, [&](const auto* user) { return !passes_state(*user) || !listed(hub, reach, *user); });
        if (named.size() <= kFew) return page_of_few(std::move(named), page, query);
        return page_of_many(order, page, named.size(), [&](const auto& user) {
            return user.name().value.find(query.name_filter) != std::string::npos && passes_state(user) &&
                   listed(hub, reach, user);
        });
    }
    if (!reach.everywhere)
        return page_of_many(order, page, std::nullopt, [&](const auto& user) {
            return passes_state(user) && listed(hub, reach, user);
        });
    if (query.state.empty()) {
        Selection all{{}, order.size()};
        for (auto at = page.offset; at < order.size() && all.shown.size() < page.limit; ++at)
            all.shown.push_back(order[at]);
        return all;
    }
    if (wants_owners && query.sort == "id" && !query.descending) {
        Selection some{{}, owners.size()};
        for (auto at = page.offset; at < owners.size() && some.shown.size() < page.limit; ++at)
            if (const auto* user = hub.directory.find(owners[at])) some.shown.push_back(user);
        return some;
    }
    const auto total = wants_owners ? owners.size() : order.size() - owners.size();
    return page_of_many(order, page, total, passes_state);
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
    const auto [shown, total] = select(hub, query, *reach, page);
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
