#include "identity/impl/state.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

bool by_name(const User* a, const User* b) {
    return a->row.name < b->row.name;
}
bool by_id(const User* a, const User* b) {
    return a->row.id < b->row.id;
}

template <class T>
void insert_sorted(std::vector<T>& list, T value) {
    const auto place = std::lower_bound(list.begin(), list.end(), value);
    if (place == list.end() || *place != value) list.insert(place, value);
}

template <class T>
void erase_sorted(std::vector<T>& list, T value) {
    const auto place = std::lower_bound(list.begin(), list.end(), value);
    if (place != list.end() && *place == value) list.erase(place);
}

void erase_from(std::vector<User*>& list, User* user, bool (*less)(const User*, const User*)) {
    const auto place = std::lower_bound(list.begin(), list.end(), user, less);
    if (place != list.end() && *place == user) list.erase(place);
}

// `list` is sorted up to `count`; what follows is sorted into it.
template <class Before>
void merge_new(std::vector<User*>& list, std::size_t count, Before before) {
    const auto fresh = list.begin() + static_cast<std::ptrdiff_t>(count);
    std::sort(fresh, list.end(), before);
    std::vector<User*> merged(list.size());
    std::merge(list.begin(), fresh, fresh, list.end(), merged.begin(), before);
    list = std::move(merged);
}

}  // namespace

// One merge for all of them: a thousand insertions into a list of a hundred thousand would move it a thousand
// times.
void Directory::State::add_users(std::vector<store::UserRow> rows) {
    const auto before = users_by_id.size();
    for (auto& row : rows) {
        auto entry = std::make_unique<User>();
        entry->row = std::move(row);
        auto* added = entry.get();
        users.emplace(number_of(added->id()), std::move(entry));
        users_by_name.push_back(added);
        users_by_id.push_back(added);
        user_names.emplace(added->row.name.value, added);
        cookies.emplace(added->row.cookie_id, added);
        by_activity.add(*added);
    }
    merge_new(users_by_name, before, by_name);
    merge_new(users_by_id, before, by_id);
    for (auto at = before; at < users_by_id.size() && !names_outdated; ++at)
        names_outdated = !name_text.add(*users_by_id[at]);
}

const NameText& Directory::State::names() {
    if (!names_outdated) return name_text;
    name_text.clear();
    for (const auto* each : users_by_id)
        BERTH_ASSERT(name_text.add(*each));
    names_outdated = false;
    return name_text;
}

User* Directory::State::user(UserId id) const {
    const auto found = users.find(number_of(id));
    return found == users.end() ? nullptr : found->second.get();
}

void Directory::State::remove_user(UserId id) {
    auto* gone = user(id);
    if (gone == nullptr) return;
    std::vector<std::string> gone_clients;  // of their servers; others hold tokens of them
    for (const auto& [identifier, client] : clients) {
        if (!client.server) continue;
        const auto server = servers.find(number_of(*client.server));
        if (server != servers.end() && server->second.user == id) gone_clients.push_back(identifier);
    }
    for (const auto& identifier : gone_clients)
        remove_client(identifier);
    if (const auto own = user_tokens.find(number_of(id)); own != user_tokens.end())
        for (const auto* token : std::vector<Token*>(own->second))
            remove_token(token->row.id);
    user_tokens.erase(number_of(id));
    for (auto& [number, group] : groups)
        erase_sorted(group->row.members, id);
    for (auto& [name, role] : roles)
        erase_sorted(role.users, id);
    std::erase_if(codes, [&](const auto& each) { return each.second.user == id; });
    std::erase_if(sessions, [&](const auto& each) { return each.second.user == id; });
    std::erase_if(invites, [&](const auto& each) { return each.second.user == id; });
    std::erase_if(servers, [&](const auto& each) { return each.second.user == id; });
    user_names.erase(gone->row.name.value);
    cookies.erase(gone->row.cookie_id);
    by_activity.remove(*gone);
    name_text.remove(id);
    erase_from(users_by_name, gone, by_name);
    erase_from(users_by_id, gone, by_id);
    users.erase(number_of(id));
    forget_scopes();
}

void Directory::State::rename_user(UserId id, const UserName& name) {
    auto* entry = user(id);
    if (entry == nullptr) return;
    user_names.erase(entry->row.name.value);
    erase_from(users_by_name, entry, by_name);
    entry->row.name = name;
    names_outdated = true;
    user_names.emplace(entry->row.name.value, entry);
    users_by_name.insert(std::lower_bound(users_by_name.begin(), users_by_name.end(), entry, by_name), entry);
    forget_scopes();
}

void Directory::State::add_group(store::GroupRow row) {
    auto entry = std::make_unique<Group>();
    entry->row = std::move(row);
    std::erase_if(entry->row.members, [&](UserId id) { return user(id) == nullptr; });
    std::sort(entry->row.members.begin(), entry->row.members.end());
    for (const auto id : entry->row.members)
        insert_sorted(user(id)->groups, entry->row.id);
    group_names.emplace(entry->row.name.value, entry.get());
    const auto number = number_of(entry->row.id);
    groups.emplace(number, std::move(entry));
    forget_scopes();
}

void Directory::State::remove_group(GroupId id) {
    const auto found = groups.find(number_of(id));
    if (found == groups.end()) return;
    for (const auto member : found->second->row.members)
        if (auto* entry = user(member)) erase_sorted(entry->groups, id);
    for (auto& [name, role] : roles)
        erase_sorted(role.groups, id);
    group_names.erase(found->second->row.name.value);
    groups.erase(found);
    forget_scopes();
}

void Directory::State::set_member(GroupId group, UserId member, bool is_one) {
    const auto found = groups.find(number_of(group));
    auto* entry = user(member);
    if (found == groups.end() || entry == nullptr) return;
    if (is_one) {
        insert_sorted(found->second->row.members, member);
        insert_sorted(entry->groups, group);
    } else {
        erase_sorted(found->second->row.members, member);
        erase_sorted(entry->groups, group);
    }
    forget_scopes();
}

void Directory::State::put_service(store::ServiceRow row) {
    auto& slot = services[number_of(row.id)];
    if (slot) service_names.erase(slot->name.value);
    if (!slot) slot = std::make_unique<store::ServiceRow>();
    *slot = std::move(row);
    service_names.emplace(slot->name.value, slot.get());
    forget_scopes();
}

void Directory::State::remove_service(ServiceId id) {
    const auto found = services.find(number_of(id));
    if (found == services.end()) return;
    std::vector<TokenId> own;
    for (const auto& [number, token] : tokens)
        if (token->row.service == id) own.push_back(token->row.id);
    for (const auto each : own)
        remove_token(each);
    std::vector<std::string> own_clients;
    for (const auto& [identifier, client] : clients)
        if (client.service == id) own_clients.push_back(identifier);
    for (const auto& identifier : own_clients)
        remove_client(identifier);
    for (auto& [name, role] : roles)
        std::erase(role.services, id);
    service_names.erase(found->second->name.value);
    services.erase(found);
    forget_scopes();
}

void Directory::State::add_token(store::TokenRow row) {
    auto entry = std::make_unique<Token>();
    entry->row = std::move(row);
    auto* added = entry.get();
    token_hashes.emplace(added->row.hashed, added);
    if (added->row.user) user_tokens[number_of(*added->row.user)].push_back(added);
    if (added->row.client_id != kHubClient) client_tokens[added->row.client_id].insert(added);
    const auto number = number_of(added->row.id);
    tokens.emplace(number, std::move(entry));
}

void Directory::State::remove_token(TokenId id) {
    const auto found = tokens.find(number_of(id));
    if (found == tokens.end()) return;
    auto* gone = found->second.get();
    token_hashes.erase(gone->row.hashed);
    if (gone->row.user) {
        const auto own = user_tokens.find(number_of(*gone->row.user));
        if (own != user_tokens.end()) {
            std::erase(own->second, gone);
            if (own->second.empty()) user_tokens.erase(own);
        }
    }
    if (const auto of_client = client_tokens.find(gone->row.client_id); of_client != client_tokens.end()) {
        of_client->second.erase(gone);
        if (of_client->second.empty()) client_tokens.erase(of_client);
    }
    token_scopes.erase(number_of(id));
    tokens.erase(found);
}

void Directory::State::remove_tokens_of_client(const std::string& identifier) {
    const auto found = client_tokens.find(identifier);
    if (found == client_tokens.end()) return;
    std::vector<TokenId> ids;
    for (const auto* token : found->second)
        ids.push_back(token->row.id);
    for (const auto id : ids)
        remove_token(id);
}

void Directory::State::remove_client(const std::string& identifier) {
    remove_tokens_of_client(identifier);
    std::erase_if(codes, [&](const auto& each) { return each.second.client_id == identifier; });
    clients.erase(identifier);
}

void Directory::State::forget_scopes() {
    user_scopes.clear();
    service_scopes.clear();
    token_scopes.clear();
}

Error no_such_user() {
    return Error{DirectoryErrc::no_such_user, "There is no such user."};
}
Error no_such_group() {
    return Error{DirectoryErrc::no_such_group, "There is no such group."};
}

Error as_exists(const Error& failure, DirectoryErrc reason, const std::string& message) {
    return failure.is(store::StoreErrc::constraint) ? Error{reason, message, failure.detail} : failure;
}

}  // namespace berth::identity
