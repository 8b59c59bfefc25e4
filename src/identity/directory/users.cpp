#include "base/random.hpp"
#include "identity/impl/state.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::identity {

const User* Directory::find(const UserName& name) const {
    const auto found = state_->user_names.find(name.value);
    return found == state_->user_names.end() ? nullptr : found->second;
}

const User* Directory::find(UserId id) const {
    return state_->user(id);
}

const User* Directory::find_by_cookie(std::string_view cookie_id) const {
    const auto found = state_->cookies.find(cookie_id);
    return found == state_->cookies.end() ? nullptr : found->second;
}

std::span<const User* const> Directory::users_by_name() const {
    return state_->users_by_name;
}
std::span<const User* const> Directory::users_by_id() const {
    return state_->users_by_id;
}
std::span<const ActivityKey> Directory::users_by_activity() const {
    return state_->by_activity.sorted();
}
std::vector<const User*> Directory::users_holding(std::string_view part) const {
    return state_->names().holding(part);
}
std::string_view Directory::name_of(UserId id) const {
    return state_->names().name_of(id);
}
std::size_t Directory::user_count() const {
    return state_->users_by_id.size();
}

bool Directory::without_admin() const {
    return std::none_of(state_->users_by_id.begin(), state_->users_by_id.end(), [](const User* user) {
        return user->row.admin;
    });
}

bool Directory::without_admin_password() const {
    return std::none_of(state_->users_by_id.begin(), state_->users_by_id.end(), [](const User* user) {
        return user->row.admin && user->row.password_hash;
    });
}

namespace {

store::UserRow row_of(const NewUser& user, UserId id, Timestamp now) {
    store::UserRow row;
    row.id = id;
    row.name = user.name;
    row.admin = user.admin;
    row.created = now;
    row.cookie_id = random_hex(16);
    return row;
}

}  // namespace

awaitable<Result<std::vector<UserId>>> Directory::create_users(
    std::vector<NewUser> users, Timestamp now, Audit audit) {
    // Whoever creates one of them at the same time makes the whole commit fail; then the rest is tried again.
    constexpr int kTries = 4;
    for (int attempt = 1;; ++attempt) {
        std::vector<store::UserRow> rows;
        std::unordered_set<std::string_view> seen;
        for (const auto& user : users)
            if (find(user.name) == nullptr && seen.insert(user.name.value).second)
                rows.push_back(row_of(user, ids_.next<UserId>(), now));
        std::vector<UserId> ids;
        ids.reserve(rows.size());
        for (const auto& row : rows)
            ids.push_back(row.id);
        if (rows.empty()) co_return ids;
        const auto shared = std::make_shared<std::vector<store::UserRow>>(std::move(rows));
        store::Change change = [shared, audit](store::Transaction& tx) {
            for (const auto& row : *shared) {
                store::insert(tx, row);
                if (!audit) continue;
                auto record = *audit;
                record.target = row.name.value;
                store::insert(tx, record);
            }
        };
        const auto written = co_await store_.commit(std::move(change));
        if (written) {
            state_->add_users(std::move(*shared));
            co_return ids;
        }
        if (attempt == kTries || !written.error().is(store::StoreErrc::constraint)) co_return written.error();
    }
}

awaitable<Result<UserId>> Directory::create_user(NewUser user, Timestamp now, Audit audit) {
    const auto name = user.name;
    const Error exists{DirectoryErrc::user_exists, "User " + name.value + " already exists"};
    if (find(name) != nullptr) co_return exists;
    std::vector<NewUser> one{std::move(user)};
    BERTH_CO_TRY(const auto ids, co_await create_users(std::move(one), now, std::move(audit)));
    if (ids.empty()) co_return exists;
    co_return ids.front();
}

awaitable<Result<void>> Directory::set_admin(UserId user, bool admin, Audit audit) {
    if (find(user) == nullptr) co_return no_such_user();
    Mutation mutation;
    mutation.write = [user, admin](store::Transaction& tx) { store::set_user_admin(tx, user, admin); };
    mutation.apply = [this, user, admin] {
        if (auto* entry = state_->user(user)) entry->row.admin = admin;
        state_->forget_scopes();
    };
    co_return co_await commit(with_audit(std::move(mutation), std::move(audit)));
}

awaitable<Result<void>> Directory::set_user_info(UserId user, json::value info) {
    if (find(user) == nullptr) co_return no_such_user();
    Mutation mutation;
    mutation.write = [user, info](store::Transaction& tx) { store::set_user_info(tx, user, info); };
    mutation.apply = [this, user, info] {
        if (auto* entry = state_->user(user)) entry->row.user_info = info;
    };
    co_return co_await commit(std::move(mutation));
}

awaitable<Result<void>> Directory::set_password_hash(UserId user, std::optional<std::string> hash) {
    if (find(user) == nullptr) co_return no_such_user();
    Mutation mutation;
    mutation.write = [user, hash](store::Transaction& tx) { store::set_user_password(tx, user, hash); };
    mutation.apply = [this, user, hash] {
        if (auto* entry = state_->user(user)) entry->row.password_hash = hash;
    };
    co_return co_await commit(std::move(mutation));
}

Mutation Directory::prepare_end_of_sessions(UserId user) {
    Mutation mutation;
    const auto cookie_id = random_hex(16);
    std::vector<std::string> hashes;
    for (const auto* session : sessions_of(user))
        hashes.push_back(session->session_hash);
    std::vector<TokenId> browser_tokens;
    for (const auto* token : tokens_of(user))
        if (token->of_browser_login()) browser_tokens.push_back(token->row.id);
    mutation.write = [user, cookie_id, hashes, browser_tokens](store::Transaction& tx) {
        store::set_user_cookie(tx, user, cookie_id);
        for (const auto& hash : hashes)
            store::remove_session(tx, hash);
        for (const auto token : browser_tokens)
            store::remove_token(tx, token);
    };
    mutation.apply = [this, user, cookie_id, hashes, browser_tokens] {
        for (const auto& hash : hashes)
            state_->sessions.erase(hash);
        for (const auto token : browser_tokens)
            state_->remove_token(token);
        auto* entry = state_->user(user);
        if (entry == nullptr) return;
        state_->cookies.erase(entry->row.cookie_id);
        entry->row.cookie_id = cookie_id;
        state_->cookies.emplace(entry->row.cookie_id, entry);
    };
    return mutation;
}

Result<Mutation> Directory::prepare_rename(UserId user, const UserName& name) {
    if (find(user) == nullptr) return no_such_user();
    if (const auto* other = find(name); other != nullptr && other->id() != user)
        return Error{
            DirectoryErrc::user_exists, "User " + name.value + " already exists, username must be unique"};
    Mutation mutation;
    mutation.write = [user, name](store::Transaction& tx) { store::set_user_name(tx, user, name); };
    mutation.apply = [this, user, name] { state_->rename_user(user, name); };
    return mutation;
}

Result<Mutation> Directory::prepare_removal(UserId user) {
    if (find(user) == nullptr) return no_such_user();
    Mutation mutation;
    mutation.write = [user](store::Transaction& tx) { store::remove_user(tx, user); };
    mutation.apply = [this, user] { state_->remove_user(user); };
    return mutation;
}

}  // namespace berth::identity
