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

// What `spawner: auto` means here and now: the one that holds running servers, else docker when an engine
// answers, else local.
awaitable<std::string> choose_spawner(const config::Options& options, std::string holds_servers);

}  // namespace berth::app
