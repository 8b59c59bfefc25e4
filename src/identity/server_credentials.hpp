// What a notebook server is given at its start to be one of ours: its own API token and its OAuth client,
// whose secret that token is (hub-protocol §3.1, §7.5). hub/ commits them in one change with the server row
// and the lease.
#pragma once

#include "identity/directory.hpp"
#include "identity/mutation.hpp"

namespace berth::identity {

struct ServerCredentials {
    Secret api_token;                                // 32 hex; JUPYTERHUB_API_TOKEN and OAuth client secret
    std::string client_id;                           // "jupyterhub-user-ann" or "jupyterhub-user-ann-gpu"
    std::string callback_path;                       // "/user/ann/oauth_callback"
    std::vector<std::string> access_scopes;          // JUPYTERHUB_OAUTH_ACCESS_SCOPES: expanded
    std::vector<std::string> client_allowed_scopes;  // JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES: raw
    Mutation mutation;  // inserts token, upserts client; the server row must be written before it
};

// "jupyterhub-user-{quote(user)}[-{quote(server)}]", a '-' in the user's name written %2D.
std::string client_id_of(const ServerKey& key);

// `prefix` is the server's, with base path and both slashes ("/user/ann/"). Replaces what an earlier start
// left. Errors: no_such_user.
Result<ServerCredentials> make_server_credentials(
    Directory& directory, ServerId server, const ServerKey& key, const std::string& prefix, Timestamp now);
// The same around the token that a running server has already (adoption).
Result<ServerCredentials> credentials_for_token(
    Directory& directory,
    ServerId server,
    const ServerKey& key,
    const std::string& prefix,
    Secret api_token,
    Timestamp now);
// At the stop: the server's token, its OAuth client, and every browser token of it.
Mutation remove_server_credentials(Directory& directory, ServerId server, const ServerKey& key);

}  // namespace berth::identity
