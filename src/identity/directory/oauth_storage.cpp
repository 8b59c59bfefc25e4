// OAuth clients and codes, and which server or service stands behind a client.
#include "base/random.hpp"
#include "identity/impl/state.hpp"
#include "store/queries.hpp"

namespace berth::identity {

const store::OAuthClientRow* Directory::find_client(std::string_view identifier) const {
    const auto found = state_->clients.find(std::string(identifier));
    return found == state_->clients.end() ? nullptr : &found->second;
}

std::optional<ServerKey> Directory::server_of(const store::OAuthClientRow& client) const {
    if (!client.server) return std::nullopt;
    const auto found = state_->servers.find(number_of(*client.server));
    if (found == state_->servers.end()) return std::nullopt;
    const auto* user = find(found->second.user);
    if (user == nullptr) return std::nullopt;
    return ServerKey{user->name(), found->second.name};
}

std::optional<ServiceName> Directory::service_of(const store::OAuthClientRow& client) const {
    const auto* service = client.service ? find(*client.service) : nullptr;
    if (service == nullptr) return std::nullopt;
    return service->name;
}

const store::OAuthCodeRow* Directory::find_code(std::string_view code, Timestamp now) const {
    if (code.empty() || code.size() > 64) return nullptr;
    const auto found = state_->codes.find(sha256_hex(code));
    if (found == state_->codes.end() || found->second.expires_at <= now) return nullptr;
    return &found->second;
}

Mutation Directory::prepare_client(const store::OAuthClientRow& client) {
    Mutation mutation;
    mutation.write = [client](store::Transaction& tx) { store::upsert(tx, client); };
    mutation.apply = [this, client] {
        state_->clients[client.identifier] = client;
        state_->token_scopes.clear();
    };
    return mutation;
}

Mutation Directory::prepare_client_removal(const std::string& identifier) {
    Mutation mutation;
    mutation.write = [identifier](store::Transaction& tx) { store::remove_oauth_client(tx, identifier); };
    mutation.apply = [this, identifier] { state_->remove_client(identifier); };
    return mutation;
}

Mutation Directory::prepare_code(const store::OAuthCodeRow& code) {
    Mutation mutation;
    mutation.write = [code](store::Transaction& tx) { store::insert(tx, code); };
    mutation.apply = [this, code] { state_->codes[code.code_hash] = code; };
    return mutation;
}

Mutation Directory::prepare_code_use(const std::string& code_hash) {
    Mutation mutation;
    mutation.write = [code_hash](store::Transaction& tx) { store::use_oauth_code(tx, code_hash); };
    mutation.apply = [this, code_hash] { state_->codes.erase(code_hash); };
    return mutation;
}

void Directory::put_server(ServerId id, UserId user, ServerName name) {
    state_->servers[number_of(id)] = {user, std::move(name)};
    state_->token_scopes.clear();
}

void Directory::drop_server(ServerId id) {
    const auto found = state_->servers.find(number_of(id));
    if (found == state_->servers.end()) return;
    for (const auto* token : tokens_of(found->second.user))
        if (token->row.server == id) state_->remove_token(token->row.id);
    std::vector<std::string> gone;
    for (const auto& [identifier, client] : state_->clients)
        if (client.server == id) gone.push_back(identifier);
    for (const auto& identifier : gone)
        state_->remove_client(identifier);
    state_->servers.erase(found);
    state_->token_scopes.clear();
}

}  // namespace berth::identity
