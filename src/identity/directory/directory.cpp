// Construction, loading, the one way to commit, and activity.
#include "identity/impl/state.hpp"
#include "store/queries.hpp"

namespace berth::identity {

std::string_view text_of(DirectoryErrc reason) {
    switch (reason) {
        case DirectoryErrc::no_such_user:
            return "no such user";
        case DirectoryErrc::user_exists:
            return "user exists";
        case DirectoryErrc::no_such_group:
            return "no such group";
        case DirectoryErrc::group_exists:
            return "group exists";
        case DirectoryErrc::no_such_service:
            return "no such service";
        case DirectoryErrc::service_exists:
            return "service exists";
        case DirectoryErrc::service_from_config:
            return "service is made by the configuration";
        case DirectoryErrc::no_such_token:
            return "no such token";
        case DirectoryErrc::no_such_role:
            return "no such role";
        case DirectoryErrc::role_is_fixed:
            return "the role is fixed";
        case DirectoryErrc::unknown_scope:
            return "no such scope";
        case DirectoryErrc::scopes_not_held:
            return "scopes not held by the owner";
        case DirectoryErrc::token_malformed:
            return "token malformed";
        case DirectoryErrc::token_exists:
            return "token in use";
        case DirectoryErrc::invite_invalid:
            return "link unknown, used or expired";
        case DirectoryErrc::password_too_short:
            return "password too short";
        case DirectoryErrc::password_too_long:
            return "password too long";
        case DirectoryErrc::changed_meanwhile:
            return "changed meanwhile";
    }
    return "unknown";
}

Mutation operator+(Mutation first, Mutation second) {
    Mutation both;
    both.write = [a = std::move(first.write), b = std::move(second.write)](store::Transaction& tx) {
        if (a) a(tx);
        if (b) b(tx);
    };
    both.apply = [a = std::move(first.apply), b = std::move(second.apply)] {
        if (a) a();
        if (b) b();
    };
    return both;
}

Directory::Directory(store::Store& store, store::Ids& ids)
    : store_(store), ids_(ids), state_(std::make_unique<State>()) {}
Directory::~Directory() = default;

void Directory::load(const store::Snapshot& snapshot) {
    state_ = std::make_unique<State>();
    state_->users.reserve(snapshot.users.size());
    state_->user_names.reserve(snapshot.users.size());
    state_->cookies.reserve(snapshot.users.size());
    state_->add_users(snapshot.users);
    for (const auto& server : snapshot.servers)
        state_->servers[number_of(server.id)] = {server.user, server.name};
    for (const auto& group : snapshot.groups)
        state_->add_group(group);
    for (const auto& service : snapshot.services)
        state_->put_service(service);
    for (const auto& role : snapshot.roles)
        state_->roles[role.name] = role;
    for (const auto& client : snapshot.oauth_clients)
        state_->clients[client.identifier] = client;
    for (const auto& code : snapshot.oauth_codes)
        state_->codes[code.code_hash] = code;
    for (const auto& token : snapshot.tokens)
        state_->add_token(token);
    for (const auto& session : snapshot.sessions)
        state_->sessions[session.session_hash] = session;
    for (const auto& invite : snapshot.invites)
        state_->invites[invite.token_hash] = invite;
}

Mutation with_audit(Mutation mutation, Audit audit) {
    if (!audit) return mutation;
    mutation.write = [write = std::move(mutation.write), row = std::move(*audit)](store::Transaction& tx) {
        write(tx);
        store::insert(tx, row);
    };
    return mutation;
}

awaitable<Result<void>> Directory::commit(Mutation mutation) {
    if (mutation.write) BERTH_CO_CHECK(co_await store_.commit(std::move(mutation.write)));
    if (mutation.apply) mutation.apply();
    co_return Result<void>{};
}

void Directory::touch(UserId user, Timestamp at) {
    auto* entry = state_->user(user);
    if (entry == nullptr || (entry->row.last_activity && *entry->row.last_activity >= at)) return;
    state_->by_activity.will_change(*entry);
    entry->row.last_activity = at;
    if (!entry->activity_dirty) state_->touched_users.push_back(user);
    entry->activity_dirty = true;
}

void Directory::touch(TokenId token, Timestamp at) {
    const auto found = state_->tokens.find(number_of(token));
    if (found == state_->tokens.end()) return;
    auto& entry = *found->second;
    if (entry.row.last_activity && *entry.row.last_activity >= at) return;
    entry.row.last_activity = at;
    if (!entry.activity_dirty) state_->touched_tokens.push_back(token);
    entry.activity_dirty = true;
}

awaitable<Result<void>> Directory::flush_activity() {
    constexpr std::size_t kMostInCommit = 4000;
    while (!state_->touched_users.empty() || !state_->touched_tokens.empty()) {
        std::vector<std::pair<UserId, Timestamp>> users;
        std::vector<std::pair<TokenId, Timestamp>> tokens;
        while (!state_->touched_users.empty() && users.size() < kMostInCommit) {
            if (auto* entry = state_->user(state_->touched_users.back())) {
                entry->activity_dirty = false;
                users.emplace_back(entry->id(), *entry->row.last_activity);
            }
            state_->touched_users.pop_back();
        }
        while (!state_->touched_tokens.empty() && tokens.size() < kMostInCommit) {
            const auto found = state_->tokens.find(number_of(state_->touched_tokens.back()));
            if (found != state_->tokens.end()) {
                found->second->activity_dirty = false;
                tokens.emplace_back(found->second->row.id, *found->second->row.last_activity);
            }
            state_->touched_tokens.pop_back();
        }
        store::Change change = [users = std::move(users),
                                tokens = std::move(tokens)](store::Transaction& tx) {
            for (const auto& [user, at] : users)
                store::touch_user(tx, user, at);
            for (const auto& [token, at] : tokens)
                store::touch_token(tx, token, at);
        };
        BERTH_CO_CHECK(co_await store_.commit(std::move(change)));
    }
    co_return Result<void>{};
}

}  // namespace berth::identity
