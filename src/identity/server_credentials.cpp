#include "identity/server_credentials.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

namespace berth::identity {

// A '-' in the user's name is escaped: else ann's server "x" and the user "ann-x" would be one client.
std::string client_id_of(const ServerKey& key) {
    std::string id = "jupyterhub-user-";
    for (const char c : quote(key.user.value)) {
        if (c == '-')
            id += "%2D";
        else
            id += c;
    }
    if (!key.server.empty()) id += "-" + quote(key.server.value);
    return id;
}

namespace {

Mutation without_tokens_of_server(Directory& directory, ServerId server, const ServerKey& key) {
    Mutation mutation;
    const auto* user = directory.find(key.user);
    if (user == nullptr) return mutation;
    for (const auto* token : directory.tokens_of(user->id()))
        if (token->row.server == server)
            mutation = std::move(mutation) + directory.prepare_token_removal(token->row.id);
    return mutation;
}

}  // namespace

Result<ServerCredentials> make_server_credentials(
    Directory& directory, ServerId server, const ServerKey& key, const std::string& prefix, Timestamp now) {
    return credentials_for_token(directory, server, key, prefix, Secret(random_hex(16)), now);
}

Result<ServerCredentials> credentials_for_token(
    Directory& directory,
    ServerId server,
    const ServerKey& key,
    const std::string& prefix,
    Secret api_token,
    Timestamp now) {
    const auto* user = directory.find(key.user);
    if (user == nullptr) return Error{DirectoryErrc::no_such_user, "There is no such user."};
    ServerCredentials credentials;
    credentials.api_token = std::move(api_token);
    credentials.client_id = client_id_of(key);
    credentials.callback_path = prefix + "oauth_callback";
    credentials.access_scopes = {
        "access:servers!server=" + key.full_name(), "access:servers!user=" + key.user.value};

    const auto hash = sha256_hex(credentials.api_token.reveal());
    store::TokenRow token;
    token.id = directory.ids().next<TokenId>();
    token.user = user->id();
    token.hashed = hash;
    token.client_id = "jupyterhub";
    token.scopes = directory.role_scopes("server").value_or(std::vector<std::string>{});
    token.note = "Server at " + prefix;
    token.created = now;
    token.server = server;

    store::OAuthClientRow client;
    client.identifier = credentials.client_id;
    client.description = "Server at " + prefix;
    client.secret_hash = hash;
    client.redirect_uri = credentials.callback_path;
    client.allowed_scopes = credentials.client_allowed_scopes;
    client.server = server;

    // What an earlier start left goes first: a crashed hub may have stopped nothing.
    auto mutation = without_tokens_of_server(directory, server, key);
    if (directory.find_client(credentials.client_id) != nullptr)
        mutation = std::move(mutation) + directory.prepare_client_removal(credentials.client_id);
    Mutation known;
    known.apply = [&directory, server, owner = user->id(), name = key.server] {
        directory.put_server(server, owner, name);
    };
    credentials.mutation = std::move(mutation) + std::move(known) + directory.prepare_token(token) +
                           directory.prepare_client(client);
    return credentials;
}

Mutation remove_server_credentials(Directory& directory, ServerId server, const ServerKey& key) {
    return without_tokens_of_server(directory, server, key) +
           directory.prepare_client_removal(client_id_of(key));
}

}  // namespace berth::identity
