// The environment that makes a process a server of this hub (hub-protocol §1). Pure; unmodified
// jupyterhub-singleuser of JupyterHub 2 to 6 reads it. What depends on the backend is the spawner's to add:
// the port in JUPYTERHUB_SERVICE_URL and the devices.
#pragma once

#include "base/ids.hpp"
#include "base/secret.hpp"
#include "base/units.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::spawn {

using Environment = std::map<std::string, std::string>;

struct EnvironmentInputs {
    ServerKey key;
    Secret api_token;             // the server's own; also its OAuth client secret
    std::string base_path = "/";  // of the whole deployment, with both slashes
    std::string api_url;          // the hub's API as the server reaches it, no trailing slash
    std::string public_origin;    // "https://hub.example.org" when public_url is configured, else ""
    std::vector<std::string> oauth_client_allowed_scopes;
    std::string default_url;  // "/lab"; "" lets the image choose
    std::string image;        // JUPYTER_IMAGE_SPEC; "" where there is none
    std::optional<Bytes> memory;
    std::optional<double> cpus;
    Environment common;   // spawn.environment
    Environment profile;  // the profile's; last, so it overrides everything
};

Environment make_environment(const EnvironmentInputs& inputs);

// "/user/alice@uni/" or "/user/alice@uni/gpu/" below the base path (hub-protocol §2.4).
std::string service_prefix(std::string_view base_path, const ServerKey& key);
// "jupyterhub-user-alice%40uni[-gpu]": client id and the name of the server's cookie. A '-' in the user's
// name becomes
// "%2D": JupyterHub gives ann-b's default server and ann's server "b" the same id, and one then ends the
// other's access.
std::string oauth_client_id(const ServerKey& key);
// The OAuth client's redirect URI and JUPYTERHUB_OAUTH_CALLBACK_URL: clients compare them byte by byte.
std::string oauth_callback_url(std::string_view base_path, const ServerKey& key);
// Any of them lets a visitor in.
std::vector<std::string> access_scopes(const ServerKey& key);

// "http://0.0.0.0:8888/user/ann/": what a spawner puts into JUPYTERHUB_SERVICE_URL.
std::string service_url(std::string_view host, std::uint16_t port, std::string_view prefix);
// Removes what chooses devices (NVIDIA_VISIBLE_DEVICES, CUDA_VISIBLE_DEVICES, DOCKER_RESOURCE_…): only the
// lease does, whatever a profile or an image says (gpu.md A.3).
void drop_device_variables(Environment& environment);

}  // namespace berth::spawn
