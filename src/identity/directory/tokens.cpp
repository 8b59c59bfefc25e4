#include "base/random.hpp"
#include "identity/impl/state.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::identity {

namespace {

constexpr std::size_t kLongestToken = 64;

Timestamp last_use(const Token& token) {
    return token.row.last_activity.value_or(token.row.created);
}

}  // namespace

const Token* Directory::find_token(std::string_view token, Timestamp now) const {
    if (token.empty() || token.size() > kLongestToken) return nullptr;
    const auto hash = sha256_hex(token);
    const auto found = state_->token_hashes.find(hash);
    if (found == state_->token_hashes.end() || found->second->expired(now)) return nullptr;
    return found->second;
}

const Token* Directory::find(TokenId id) const {
    const auto found = state_->tokens.find(number_of(id));
    return found == state_->tokens.end() ? nullptr : found->second.get();
}

std::vector<const Token*> Directory::tokens_of(UserId user) const {
    const auto found = state_->user_tokens.find(number_of(user));
    if (found == state_->user_tokens.end()) return {};
    std::vector<const Token*> tokens(found->second.begin(), found->second.end());
    std::sort(tokens.begin(), tokens.end(), [](const Token* a, const Token* b) {
        return std::pair(last_use(*a), a->row.id) > std::pair(last_use(*b), b->row.id);
    });
    return tokens;
}

std::vector<const Token*> Directory::tokens_of_client(UserId user, std::string_view client_id) const {
    std::vector<const Token*> tokens;
    const auto found = state_->user_tokens.find(number_of(user));
    if (found == state_->user_tokens.end()) return tokens;
    for (const auto* token : found->second)
        if (token->row.client_id == client_id) tokens.push_back(token);
    return tokens;
}

Result<void> Directory::may_assign(const NewToken& token) const {
    if (const auto known = access::check_known(token.scopes); !known)
        return Error{DirectoryErrc::unknown_scope, known.error().message};
    ScopesPtr held;
    Token draft;  // only its owner is looked at
    draft.row.user = token.user;
    draft.row.service = token.service;
    draft.row.client_id = token.client_id;
    if (token.user) {
        const auto* user = find(*token.user);
        if (user == nullptr) return no_such_user();
        held = scopes_of(*user);
    } else {
        const auto* service = token.service ? find(*token.service) : nullptr;
        if (service == nullptr) return Error{DirectoryErrc::no_such_service, "There is no such service."};
        held = scopes_of(*service);
    }
    const auto wanted = access::expand(token.scopes, owner_of(draft));
    if (held->contains(wanted, *this)) return {};
    std::string missing;
    for (const auto& scope : wanted.strings()) {
        const std::vector<std::string> one{scope};
        if (held->contains(access::ScopeSet::of(one), *this)) continue;
        missing += missing.empty() ? scope : ", " + scope;
    }
    return Error{
        DirectoryErrc::scopes_not_held,
        "Not assigning requested scopes [" + missing + "]: the owner does not have them"};
}

awaitable<Result<IssuedToken>> Directory::create_token(NewToken token, Timestamp now, Audit audit) {
    BERTH_CO_CHECK(may_assign(token));
    IssuedToken issued;
    issued.id = ids_.next<TokenId>();
    issued.token = Secret(random_hex(16));
    store::TokenRow row;
    row.id = issued.id;
    row.user = token.user;
    row.service = token.service;
    row.hashed = sha256_hex(issued.token.reveal());
    row.client_id = token.client_id;
    row.session_id = token.session_id;
    row.scopes = token.scopes;
    row.note = token.note;
    row.created = now;
    row.expires_at = token.expires_at;
    auto mutation = with_audit(prepare_token(row), std::move(audit));
    const auto written = co_await commit(std::move(mutation));
    if (!written)
        co_return as_exists(written.error(), DirectoryErrc::no_such_user, "The owner was deleted meanwhile.");
    co_return issued;
}

awaitable<Result<void>> Directory::revoke_token(TokenId token, Audit audit) {
    const auto* entry = find(token);
    if (entry == nullptr) co_return Error{DirectoryErrc::no_such_token, "There is no such token."};
    std::vector<TokenId> ids{token};
    if (entry->of_browser_login() && entry->row.user) {
        ids.clear();
        for (const auto* each : tokens_of_client(*entry->row.user, entry->row.client_id))
            ids.push_back(each->row.id);
    }
    Mutation mutation;
    mutation.write = [ids](store::Transaction& tx) {
        for (const auto id : ids)
            store::remove_token(tx, id);
    };
    mutation.apply = [this, ids] {
        for (const auto id : ids)
            state_->remove_token(id);
    };
    co_return co_await commit(with_audit(std::move(mutation), std::move(audit)));
}

awaitable<Result<void>> Directory::purge_expired(Timestamp now) {
    std::vector<TokenId> tokens;
    std::vector<std::string> codes;
    std::vector<std::string> sessions;
    std::vector<std::string> invites;
    for (const auto& [number, token] : state_->tokens)
        if (token->expired(now)) tokens.push_back(token->row.id);
    for (const auto& [hash, code] : state_->codes)
        if (code.expires_at <= now) codes.push_back(hash);
    for (const auto& [hash, session] : state_->sessions)
        if (session.last_seen + state_->session_life <= now) sessions.push_back(hash);
    for (const auto& [hash, invite] : state_->invites)
        if (invite.expires_at <= now) invites.push_back(hash);
    if (tokens.empty() && codes.empty() && sessions.empty() && invites.empty()) co_return Result<void>{};
    Mutation mutation;
    mutation.write = [tokens, codes, sessions, invites](store::Transaction& tx) {
        for (const auto id : tokens)
            store::remove_token(tx, id);
        for (const auto& hash : codes)
            store::remove_oauth_code(tx, hash);
        for (const auto& hash : sessions)
            store::remove_session(tx, hash);
        for (const auto& hash : invites)
            store::remove_invite(tx, hash);
    };
    mutation.apply = [this, tokens, codes, sessions, invites] {
        for (const auto id : tokens)
            state_->remove_token(id);
        for (const auto& hash : codes)
            state_->codes.erase(hash);
        for (const auto& hash : sessions)
            state_->sessions.erase(hash);
        for (const auto& hash : invites)
            state_->invites.erase(hash);
    };
    co_return co_await commit(std::move(mutation));
}

Mutation Directory::prepare_token(const store::TokenRow& row) {
    Mutation mutation;
    mutation.write = [row](store::Transaction& tx) { store::insert(tx, row); };
    mutation.apply = [this, row] { state_->add_token(row); };
    return mutation;
}

Mutation Directory::prepare_token_removal(TokenId token) {
    Mutation mutation;
    mutation.write = [token](store::Transaction& tx) { store::remove_token(tx, token); };
    mutation.apply = [this, token] { state_->remove_token(token); };
    return mutation;
}

}  // namespace berth::identity
