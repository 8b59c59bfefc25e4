// At start: what the configuration says about people, groups, roles and services becomes so.
#include "identity/impl/service_plan.hpp"
#include "identity/impl/state.hpp"
#include "identity/names.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

Error in_option(const std::string& option, const Error& error) {
    return Error{error.code, "Option " + option + ": " + error.message, error.detail};
}

// Everybody the configuration names, normalised; who is missing is made an account.
Result<std::vector<NewUser>> people_of(const config::Options& options) {
    std::vector<NewUser> people;
    const auto add =
        [&](const std::vector<std::string>& names, const std::string& option, bool admin) -> Result<void> {
        for (const auto& text : names) {
            const auto name = user_name(text);
            if (!name) return in_option(option, name.error());
            people.push_back({*name, admin});
        }
        return {};
    };
    BERTH_CHECK(add(options.authentication.admins, "authentication.admins", true));
    BERTH_CHECK(add(options.authentication.allowed_users, "authentication.allowed_users", false));
    for (const auto& [group, users] : options.groups)
        BERTH_CHECK(add(users, "groups." + group, false));
    for (const auto& role : options.roles)
        BERTH_CHECK(add(role.users, "roles." + role.name, role.name == "admin"));
    return people;
}

bool is_role_name(std::string_view name) {
    const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return name.size() >= 3 && name.size() <= 255 && lower(name.front()) &&
           (lower(name.back()) || digit(name.back())) && std::all_of(name.begin(), name.end(), [&](char c) {
               return lower(c) || digit(c) || c == '-' || c == '_' || c == '~' || c == '.';
           });
}

Result<store::RoleRow> role_row(
    const Directory& directory, const Directory::State& state, const config::RoleOptions& options) {
    const auto option = "roles." + options.name;
    if (!is_role_name(options.name))
        return Error{
            DirectoryErrc::no_such_role,
            "Option " + option +
                ": a role name has 3 to 255 of a-z, 0-9, '-', '_', '~', '.', a letter first and a "
                "letter or digit last."};
    if (const auto known = access::check_known(options.scopes); !known)
        return in_option(option, Error{DirectoryErrc::unknown_scope, known.error().message});
    store::RoleRow row;
    const auto present = state.roles.find(options.name);
    if (present != state.roles.end()) row.id = present->second.id;
    row.name = options.name;
    row.description = options.description;
    row.scopes = options.scopes;
    row.from_config = true;
    if (const auto defaults = access::default_role_scopes(options.name)) {
        if (row.scopes.empty()) row.scopes = *defaults;
        if (row.description.empty()) row.description = access::default_role_description(options.name);
    }
    for (const auto& text : options.users) {
        BERTH_TRY(const auto name, user_name(text));
        if (const auto* user = directory.find(name)) row.users.push_back(user->id());
    }
    for (const auto& text : options.groups)
        if (const auto* group = directory.find(GroupName(text))) row.groups.push_back(group->row.id);
    for (const auto& text : options.services) {
        const auto* service = directory.find(ServiceName(text));
        if (service == nullptr)
            return Error{
                DirectoryErrc::no_such_service, "Option " + option + ": there is no service '" + text + "'."};
        row.services.push_back(service->id);
    }
    const auto unique = [](auto& ids) {
        std::sort(ids.begin(), ids.end());
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    };
    unique(row.users);
    unique(row.groups);
    unique(row.services);
    return row;
}

Mutation role_mutation(Directory::State& state, const store::RoleRow& row) {
    Mutation mutation;
    mutation.write = [row](store::Transaction& tx) { store::upsert(tx, row); };
    mutation.apply = [&state, row] {
        state.roles[row.name] = row;
        state.forget_scopes();
    };
    return mutation;
}

Mutation role_removal(Directory::State& state, const store::RoleRow& row) {
    Mutation mutation;
    mutation.write = [id = row.id](store::Transaction& tx) { store::remove_role(tx, id); };
    mutation.apply = [&state, name = row.name] {
        state.roles.erase(name);
        state.forget_scopes();
    };
    return mutation;
}

awaitable<Result<void>> apply_people(Directory& directory, const config::Options& options, Timestamp now) {
    BERTH_CO_TRY(const auto people, people_of(options));
    std::vector<NewUser> missing = people;
    BERTH_CO_CHECK(co_await directory.create_users(std::move(missing), now));
    for (const auto& person : people) {
        const auto* user = directory.find(person.name);
        if (person.admin && user != nullptr && !user->row.admin)
            BERTH_CO_CHECK(co_await directory.set_admin(user->id(), true));
    }
    co_return Result<void>{};
}

awaitable<Result<void>> apply_groups(Directory& directory, const config::Options& options) {
    std::map<std::string, std::vector<std::string>> wanted = options.groups;
    for (const auto& role : options.roles)
        for (const auto& group : role.groups)
            wanted[group];
    for (const auto& [text, users] : wanted) {
        const auto name = group_name(text);
        if (!name) co_return in_option("groups." + text, name.error());
        std::vector<UserId> members;
        for (const auto& each : users)
            if (const auto person = user_name(each))
                if (const auto* user = directory.find(*person)) members.push_back(user->id());
        std::sort(members.begin(), members.end());
        members.erase(std::unique(members.begin(), members.end()), members.end());
        const auto* group = directory.find(*name);
        if (group == nullptr) {
            BERTH_CO_CHECK(co_await directory.create_group(*name, std::move(members)));
        } else if (!std::includes(
                       group->row.members.begin(),
                       group->row.members.end(),
                       members.begin(),
                       members.end())) {
            BERTH_CO_CHECK(co_await directory.add_members(group->row.id, std::move(members)));
        }
    }
    co_return Result<void>{};
}

}  // namespace

awaitable<Result<void>> Directory::apply_config(const config::Options& options, Timestamp now) {
    state_->base_path = options.base_path();
    state_->session_life = options.authentication.cookie_max_age;
    BERTH_CO_CHECK(co_await apply_people(*this, options, now));
    BERTH_CO_CHECK(co_await apply_groups(*this, options));

    Mutation gone;
    for (const auto* service : services()) {
        const bool named =
            std::any_of(options.services.begin(), options.services.end(), [&](const auto& each) {
                return each.name == service->name.value;
            });
        if (service->from_config && !named)
            gone = std::move(gone) + plan_service_removal(*this, *state_, *service);
    }
    BERTH_CO_CHECK(co_await commit(std::move(gone)));
    for (const auto& service : options.services) {
        BERTH_CO_TRY(auto plan, plan_service(*this, *state_, service, true, now));
        BERTH_CO_CHECK(co_await commit(std::move(plan)));
    }

    Mutation roles;
    for (const auto& role : options.roles) {
        if (role.name == "admin" && (!role.groups.empty() || !role.services.empty()))
            co_return Error{
                DirectoryErrc::role_is_fixed,
                "roles.admin takes users only. Give a group's members another role, and a service "
                "'admin: true'."};
        if (role.name == "admin") continue;  // its users are administrators; its scopes stand (§10.4)
        BERTH_CO_TRY(auto row, role_row(*this, *state_, role));
        if (row.id == RoleId{}) row.id = ids_.next<RoleId>();
        roles = std::move(roles) + role_mutation(*state_, row);
    }
    for (const auto& [name, role] : state_->roles) {
        const bool named = std::any_of(
            options.roles.begin(), options.roles.end(), [&](const auto& each) { return each.name == name; });
        if (role.from_config && !named) roles = std::move(roles) + role_removal(*state_, role);
    }
    co_return co_await commit(std::move(roles));
}

}  // namespace berth::identity
