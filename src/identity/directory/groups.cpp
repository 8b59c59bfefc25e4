#include "identity/impl/state.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::identity {

const Group* Directory::find(const GroupName& name) const {
    const auto found = state_->group_names.find(name.value);
    return found == state_->group_names.end() ? nullptr : found->second;
}

const Group* Directory::find(GroupId id) const {
    const auto found = state_->groups.find(number_of(id));
    return found == state_->groups.end() ? nullptr : found->second.get();
}

std::vector<const Group*> Directory::groups() const {
    std::vector<const Group*> all;
    for (const auto& [name, group] : state_->group_names)
        all.push_back(group);
    return all;
}

std::vector<std::string> Directory::group_names_of(const User& user) const {
    std::vector<std::string> names;
    for (const auto id : user.groups)
        if (const auto* group = find(id)) names.push_back(group->row.name.value);
    std::sort(names.begin(), names.end());
    return names;
}

bool Directory::is_member(std::string_view user, std::string_view group) const {
    const auto found_user = state_->user_names.find(user);
    const auto found_group = state_->group_names.find(group);
    if (found_user == state_->user_names.end() || found_group == state_->group_names.end()) return false;
    const auto& groups = found_user->second->groups;
    return std::binary_search(groups.begin(), groups.end(), found_group->second->row.id);
}

awaitable<Result<GroupId>> Directory::create_group(GroupName name, std::vector<UserId> members, Audit audit) {
    const auto message = "Group " + name.value + " already exists";
    if (find(name) != nullptr) co_return Error{DirectoryErrc::group_exists, message};
    store::GroupRow row;
    row.id = ids_.next<GroupId>();
    row.name = std::move(name);
    row.members = std::move(members);
    Mutation mutation;
    mutation.write = [row](store::Transaction& tx) { store::insert(tx, row); };
    mutation.apply = [this, row] { state_->add_group(row); };
    const auto written = co_await commit(with_audit(std::move(mutation), std::move(audit)));
    if (!written) co_return as_exists(written.error(), DirectoryErrc::group_exists, message);
    co_return row.id;
}

awaitable<Result<void>> Directory::create_groups(std::vector<GroupName> names, Audit audit) {
    std::vector<store::GroupRow> rows;
    for (auto& name : names) {
        if (find(name) != nullptr)
            co_return Error{DirectoryErrc::group_exists, "Group " + name.value + " already exists"};
        store::GroupRow row;
        row.id = ids_.next<GroupId>();
        row.name = std::move(name);
        rows.push_back(std::move(row));
    }
    Mutation mutation;
    mutation.write = [rows, audit](store::Transaction& tx) {
        for (const auto& row : rows) {
            store::insert(tx, row);
            if (!audit) continue;
            auto record = *audit;
            record.target = row.name.value;
            store::insert(tx, record);
        }
    };
    mutation.apply = [this, rows] {
        for (const auto& row : rows)
            state_->add_group(row);
    };
    const auto written = co_await commit(std::move(mutation));
    if (!written)
        co_return as_exists(written.error(), DirectoryErrc::group_exists, "One of the groups already exists");
    co_return Result<void>{};
}

awaitable<Result<void>> Directory::remove_group(GroupId group, Audit audit) {
    if (find(group) == nullptr) co_return no_such_group();
    Mutation mutation;
    mutation.write = [group](store::Transaction& tx) { store::remove_group(tx, group); };
    mutation.apply = [this, group] { state_->remove_group(group); };
    co_return co_await commit(with_audit(std::move(mutation), std::move(audit)));
}

awaitable<Result<void>> Directory::add_members(GroupId group, std::vector<UserId> users, Audit audit) {
    if (find(group) == nullptr) co_return no_such_group();
    Mutation mutation;
    mutation.write = [group, users](store::Transaction& tx) {
        for (const auto user : users)
            store::add_member(tx, group, user);
    };
    mutation.apply = [this, group, users] {
        for (const auto user : users)
            state_->set_member(group, user, true);
    };
    const auto written = co_await commit(with_audit(std::move(mutation), std::move(audit)));
    if (!written)
        co_return as_exists(
            written.error(),
            DirectoryErrc::no_such_user,
            "One of the users or the group was deleted meanwhile.");
    co_return Result<void>{};
}

awaitable<Result<void>> Directory::remove_members(GroupId group, std::vector<UserId> users, Audit audit) {
    if (find(group) == nullptr) co_return no_such_group();
    Mutation mutation;
    mutation.write = [group, users](store::Transaction& tx) {
        for (const auto user : users)
            store::remove_member(tx, group, user);
    };
    mutation.apply = [this, group, users] {
        for (const auto user : users)
            state_->set_member(group, user, false);
    };
    co_return co_await commit(with_audit(std::move(mutation), std::move(audit)));
}

awaitable<Result<void>> Directory::set_properties(GroupId group, json::object properties, Audit audit) {
    if (find(group) == nullptr) co_return no_such_group();
    const json::value value = std::move(properties);
    Mutation mutation;
    mutation.write = [group, value](store::Transaction& tx) {
        store::set_group_properties(tx, group, value);
    };
    mutation.apply = [this, group, value] {
        const auto found = state_->groups.find(number_of(group));
        if (found != state_->groups.end()) found->second->row.properties = value;
    };
    co_return co_await commit(with_audit(std::move(mutation), std::move(audit)));
}

}  // namespace berth::identity
