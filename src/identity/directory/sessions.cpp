// Browser sessions and one-time links.
#include "base/random.hpp"
#include "base/text.hpp"
#include "identity/impl/state.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::identity {

awaitable<Result<void>> Directory::create_session(
    UserId user,
    std::string session_id,
    std::string client_address,
    std::string user_agent,
    Timestamp now,
    Audit audit) {
    store::SessionRow row;
    row.session_hash = sha256_hex(session_id);
    row.user = user;
    row.created = now;
    row.last_seen = now;
    row.client_address = ellipsized(client_address, 64);
    row.user_agent = ellipsized(user_agent, 255);
    Mutation mutation;
    // A browser that signs in again keeps its session id.
    mutation.write = [row](store::Transaction& tx) {
        store::remove_session(tx, row.session_hash);
        store::insert(tx, row);
    };
    mutation.apply = [this, row] { state_->sessions[row.session_hash] = row; };
    const auto written = co_await commit(with_audit(std::move(mutation), std::move(audit)));
    if (!written)
        co_return as_exists(written.error(), DirectoryErrc::no_such_user, "The user was deleted meanwhile.");
    co_return Result<void>{};
}

const store::SessionRow* Directory::find_session(std::string_view session_id) const {
    if (session_id.empty() || session_id.size() > 64) return nullptr;
    const auto found = state_->sessions.find(sha256_hex(session_id));
    return found == state_->sessions.end() ? nullptr : &found->second;
}

std::vector<const store::SessionRow*> Directory::sessions_of(UserId user) const {
    std::vector<const store::SessionRow*> sessions;
    for (const auto& [hash, session] : state_->sessions)
        if (session.user == user) sessions.push_back(&session);
    std::sort(sessions.begin(), sessions.end(), [](const auto* a, const auto* b) {
        return a->created > b->created;
    });
    return sessions;
}

awaitable<Result<void>> Directory::end_session(UserId user, std::string session_id, Audit audit) {
    if (session_id.empty()) co_return Result<void>{};
    co_return co_await end_session_of_hash(user, sha256_hex(session_id), std::move(audit));
}

awaitable<Result<void>> Directory::end_session_of_hash(UserId user, std::string hash, Audit audit) {
    const auto belongs = [&hash](const std::string& session_id) {
        return !session_id.empty() && sha256_hex(session_id) == hash;
    };
    std::vector<TokenId> tokens;
    for (const auto* token : tokens_of(user))
        if (belongs(token->row.session_id)) tokens.push_back(token->row.id);
    const auto found = state_->sessions.find(hash);
    const bool own = found != state_->sessions.end() && found->second.user == user;
    std::vector<std::string> codes;  // not exchanged yet
    for (const auto& [code_hash, code] : state_->codes)
        if (code.user == user && belongs(code.session_id)) codes.push_back(code_hash);
    if (!own && tokens.empty() && codes.empty()) co_return Result<void>{};
    Mutation mutation;
    mutation.write = [own, hash, tokens, codes](store::Transaction& tx) {
        if (own) store::remove_session(tx, hash);
        for (const auto& code : codes)
            store::remove_oauth_code(tx, code);
        for (const auto token : tokens)
            store::remove_token(tx, token);
    };
    mutation.apply = [this, own, hash, tokens, codes] {
        if (own) state_->sessions.erase(hash);
        for (const auto& code : codes)
            state_->codes.erase(code);
        for (const auto token : tokens)
            state_->remove_token(token);
    };
    co_return co_await commit(with_audit(std::move(mutation), std::move(audit)));
}

awaitable<Result<Secret>> Directory::create_invite(
    std::optional<UserId> user, Timestamp now, std::chrono::seconds life, Audit audit) {
    Secret token(random_alphanumeric(32));
    store::InviteRow row;
    row.token_hash = sha256_hex(token.reveal());
    row.user = user;
    row.created = now;
    row.expires_at = now + life;
    std::vector<std::string> older;
    for (const auto& [hash, invite] : state_->invites)
        if (invite.user == user) older.push_back(hash);
    Mutation mutation;
    mutation.write = [row, older](store::Transaction& tx) {
        for (const auto& hash : older)
            store::remove_invite(tx, hash);
        store::insert(tx, row);
    };
    mutation.apply = [this, row, older] {
        for (const auto& hash : older)
            state_->invites.erase(hash);
        state_->invites[row.token_hash] = row;
    };
    const auto written = co_await commit(with_audit(std::move(mutation), std::move(audit)));
    if (!written)
        co_return as_exists(written.error(), DirectoryErrc::no_such_user, "The user was deleted meanwhile.");
    co_return token;
}

const store::InviteRow* Directory::find_invite(std::string_view token, Timestamp now) const {
    if (token.empty() || token.size() > 64) return nullptr;
    const auto found = state_->invites.find(sha256_hex(token));
    if (found == state_->invites.end() || found->second.expires_at <= now) return nullptr;
    return &found->second;
}

awaitable<Result<UserId>> Directory::accept_invite(
    std::string token, std::optional<UserName> name, std::string password_hash, Timestamp now) {
    const Error invalid{
        DirectoryErrc::invite_invalid,
        "This link is unknown, was used already or has expired. Ask for a new one."};
    const auto* invite = find_invite(token, now);
    if (invite == nullptr || (!invite->user && !name)) co_return invalid;
    const auto hash = invite->token_hash;
    Mutation mutation;
    UserId id{};
    std::string owner;
    if (invite->user) {
        id = *invite->user;
        if (const auto* user = find(id); user != nullptr) owner = user->name().value;
        mutation.write = [hash, id, password_hash](store::Transaction& tx) {
            store::use_invite(tx, hash);
            store::set_user_password(tx, id, password_hash);
        };
        mutation.apply = [this, hash, id, password_hash] {
            state_->invites.erase(hash);
            if (auto* entry = state_->user(id)) entry->row.password_hash = password_hash;
        };
        // Whoever knew the old password is signed out everywhere.
        mutation = std::move(mutation) + prepare_end_of_sessions(id);
    } else {
        if (find(*name) != nullptr)
            co_return Error{
                DirectoryErrc::user_exists, "User " + name->value + " already exists; choose another name."};
        store::UserRow row;
        row.id = id = ids_.next<UserId>();
        row.name = *name;
        owner = name->value;
        row.admin = true;
        row.created = now;
        row.cookie_id = random_hex(16);
        row.password_hash = password_hash;
        mutation.write = [hash, row](store::Transaction& tx) {
            store::use_invite(tx, hash);
            store::insert(tx, row);
        };
        mutation.apply = [this, hash, row] {
            state_->invites.erase(hash);
            state_->add_users({row});
        };
    }
    store::AuditRow audit;
    audit.at = now;
    audit.principal = "user:" + owner;
    audit.action = "user.password";
    audit.target = owner;
    audit.permit = "invite";
    audit.result = "ok";
    const auto written = co_await commit(with_audit(std::move(mutation), std::move(audit)));
    if (!written) co_return as_exists(written.error(), DirectoryErrc::invite_invalid, invalid.message);
    co_return id;
}

}  // namespace berth::identity
