// The tables of what this binary can do: spawners and authenticators by their names in the configuration.
// Reading them shows everything there is; a new one is one line here.
#pragma once

#include "async/blocking_pool.hpp"
#include "config/options.hpp"
#include "identity/authenticator.hpp"
#include "identity/directory.hpp"
#include "spawn/spawner.hpp"

#include <memory>
#include <string>

namespace berth::app {

// `name`: docker | local.
std::unique_ptr<spawn::Spawner> make_spawner(
    const std::string& name,
    const asio::any_io_executor& executor,
    BlockingPool& pool,
    const config::Options& options);

std::unique_ptr<identity::Authenticator> make_authenticator(
    const config::AuthenticationOptions& options, const identity::Directory& directory, BlockingPool& pool);

// What `spawner` means here and now. `auto`: the one that holds running servers, else docker when an engine
// answers or was chosen before (an engine that is down comes back), else local. Errors (BuiltinErrc): running
// servers are held by another spawner than the one configured; local would run notebooks as root for
// everybody who can reach the hub.
enum class BuiltinErrc { holds_servers_of_another_spawner = 1, local_as_root };
std::string_view text_of(BuiltinErrc reason);
BERTH_ERROR_CATEGORY(BuiltinErrc, "builtin")
struct SpawnerHistory {
    std::string holds_servers;  // the spawner of rows whose servers run, or ""
    std::string chosen;         // of the last start, or ""
};
awaitable<Result<std::string>> choose_spawner(const config::Options& options, SpawnerHistory history);

}  // namespace berth::app
