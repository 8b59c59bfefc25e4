// Groups (hub-protocol §11.1).
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "api/paging.hpp"
#include "base/text.hpp"
#include "identity/names.hpp"

namespace berth::api {
namespace {

Result<const identity::Group*> find_group(const Dependencies& hub, const Call& call) {
    const auto* group = hub.directory.find(GroupName(call.arguments.at(0)));
    if (group == nullptr) return not_found("No such group: " + ellipsized(call.arguments.at(0), 64));
    return group;
}

Result<std::vector<UserId>> users_of(const Dependencies& hub, const std::vector<std::string>& names) {
    std::vector<UserId> ids;
    for (const auto& name : names) {
        const auto* user = hub.directory.find(UserName(name));
        if (user == nullptr) return bad_request("No such user: " + ellipsized(name, 64));
        ids.push_back(user->id());
    }
    return ids;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names)
        text += (text.empty() ? "" : ", ") + name;
    return ellipsized(text, 1024);
}

std::string names_of(const Dependencies& hub, const std::vector<UserId>& users) {
    std::vector<std::string> names;
    for (const auto id : users)
        if (const auto* user = hub.directory.find(id)) names.push_back(user->name().value);
    return joined(names);
}

http::Response group_response(
    const Dependencies& hub, const Call& call, unsigned status, const identity::Group& group) {
    std::string text;
    if (!append_group(text, hub, call.who(), group)) text = "{}";
    return json_text(status, std::move(text));
}

Result<std::vector<UserId>> required_users(const Dependencies& hub, const Call& call) {
    BERTH_TRY(const auto body, object_body(call.request));
    BERTH_TRY(const auto names, texts_member(body, "users"));
    if (!names) return bad_request("Must specify users");
    return users_of(hub, *names);
}

}  // namespace

awaitable<Result<http::Response>> get_groups(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto page, requested_page(call.request));
    const auto* reach = call.who().scopes().find("list:groups");
    std::string items;
    std::size_t total = 0;
    for (const auto* group : hub.directory.groups()) {
        const auto target = access::Target::of(group->row.name);
        if (reach == nullptr || !(reach->everywhere || reach->covers(target, hub.directory))) continue;
        const bool on_page = total >= page.offset && total < page.offset + page.limit;
        ++total;
        if (!on_page) continue;
        const auto before = items.size();
        if (before != 0) items += ',';
        if (!append_group(items, hub, call.who(), *group)) items.resize(before);
    }
    co_return page_response(call.request, page, total, std::move(items));
}

awaitable<Result<http::Response>> post_groups(Dependencies& hub, Call& call) {
    constexpr std::string_view kKeys[] = {"groups", "users"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto names, texts_member(body, "groups"));
    BERTH_CO_TRY(const auto users, texts_member(body, "users"));
    if (!names || names->empty()) co_return bad_request("Must specify at least one group to create");
    BERTH_CO_TRY(auto members, users_of(hub, users.value_or(std::vector<std::string>{})));
    std::vector<GroupName> groups;
    for (const auto& text : *names) {
        BERTH_CO_TRY(auto name, identity::group_name(text));
        groups.push_back(std::move(name));
    }
    BERTH_CO_CHECK(co_await hub.directory.create_groups(groups, audit_of(call, "group.create", "")));
    std::string models = "[";
    for (const auto& name : groups) {
        const auto* group = hub.directory.find(name);
        if (group == nullptr) continue;
        const GroupId id = group->row.id;
        if (!members.empty())
            BERTH_CO_CHECK(co_await hub.directory.add_members(
                id, members, audit_of(call, "group.add", name.value, joined(*users))));
        group = hub.directory.find(id);
        if (group == nullptr) continue;
        const auto before = models.size();
        if (before != 1) models += ',';
        if (!append_group(models, hub, call.who(), *group)) models.resize(before);
    }
    models += ']';
    co_return json_text(201, std::move(models));
}

awaitable<Result<http::Response>> get_group(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* group, find_group(hub, call));
    co_return group_response(hub, call, 200, *group);
}

awaitable<Result<http::Response>> post_group(Dependencies& hub, Call& call) {
    constexpr std::string_view kKeys[] = {"name", "users", "roles"};
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kKeys));
    BERTH_CO_TRY(const auto names, texts_member(body, "users"));
    BERTH_CO_TRY(auto members, users_of(hub, names.value_or(std::vector<std::string>{})));
    BERTH_CO_TRY(auto name, identity::group_name(call.arguments.at(0)));
    auto audit =
        audit_of(call, "group.create", name.value, joined(names.value_or(std::vector<std::string>{})));
    BERTH_CO_TRY(
        const auto id,
        co_await hub.directory.create_group(std::move(name), std::move(members), std::move(audit)));
    co_return group_response(hub, call, 201, *hub.directory.find(id));
}

awaitable<Result<http::Response>> delete_group(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* group, find_group(hub, call));
    BERTH_CO_CHECK(co_await hub.directory.remove_group(
        group->row.id, audit_of(call, "group.remove", group->row.name.value)));
    co_return http::Response::empty(204);
}

awaitable<Result<http::Response>> post_group_users(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* group, find_group(hub, call));
    BERTH_CO_TRY(auto members, required_users(hub, call));
    const GroupId id = group->row.id;
    auto audit = audit_of(call, "group.add", group->row.name.value, names_of(hub, members));
    BERTH_CO_CHECK(co_await hub.directory.add_members(id, std::move(members), std::move(audit)));
    BERTH_CO_TRY(const auto* changed, find_group(hub, call));
    co_return group_response(hub, call, 200, *changed);
}

awaitable<Result<http::Response>> delete_group_users(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* group, find_group(hub, call));
    BERTH_CO_TRY(auto members, required_users(hub, call));
    const GroupId id = group->row.id;
    auto audit = audit_of(call, "group.drop", group->row.name.value, names_of(hub, members));
    BERTH_CO_CHECK(co_await hub.directory.remove_members(id, std::move(members), std::move(audit)));
    BERTH_CO_TRY(const auto* changed, find_group(hub, call));
    co_return group_response(hub, call, 200, *changed);
}

awaitable<Result<http::Response>> put_group_properties(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* group, find_group(hub, call));
    BERTH_CO_TRY(const auto body, json_body(call.request));
    if (!body || !body->is_object()) co_return bad_request("properties must be a JSON object");
    const GroupId id = group->row.id;
    BERTH_CO_CHECK(co_await hub.directory.set_properties(
        id, body->get_object(), audit_of(call, "group.properties", group->row.name.value)));
    BERTH_CO_TRY(const auto* changed, find_group(hub, call));
    co_return group_response(hub, call, 200, *changed);
}

}  // namespace berth::api
