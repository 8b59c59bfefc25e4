#include "app/builtin.hpp"

#include "base/assert.hpp"
#include "http/client.hpp"
#include "identity/authenticators/dummy.hpp"
#include "identity/authenticators/password.hpp"
#include "obs/log.hpp"
#include "spawn/spawners/docker/docker_spawner.hpp"
#include "spawn/spawners/local/local_spawner.hpp"

namespace berth::app {
namespace {

using namespace std::chrono_literals;

// The engine's address as net/ spells it: "unix:///run/x.sock" and "tcp://host:2375" are Docker's spellings.
std::optional<net::Endpoint> engine_endpoint(const std::string& host) {
    constexpr std::string_view kUnix = "unix://";
    constexpr std::string_view kTcp = "tcp://";
    if (host.starts_with(kUnix)) {
        net::Endpoint endpoint;
        endpoint.path = host.substr(kUnix.size());
        return endpoint;
    }
    auto parsed = net::parse_endpoint(host.starts_with(kTcp) ? host.substr(kTcp.size()) : host);
    if (!parsed) return std::nullopt;
    return *parsed;
}

}  // namespace

std::unique_ptr<spawn::Spawner> make_spawner(
    const std::string& name,
    const asio::any_io_executor& executor,
    BlockingPool& pool,
    const config::Options& options) {
    if (name == "docker") return spawn::make_docker_spawner(executor, options.docker, options.spawn);
    BERTH_ASSERT(name == "local");  // config/validate.cpp lets nothing else through
    return spawn::make_local_spawner(executor, pool, options.local, options.spawn, options.state_dir);
}

std::unique_ptr<identity::Authenticator> make_authenticator(
    const config::AuthenticationOptions& options, const identity::Directory& directory, BlockingPool& pool) {
    if (options.method == "dummy") return identity::make_dummy_authenticator(options.dummy);
    BERTH_ASSERT(options.method == "password");
    return identity::make_password_authenticator(directory, pool);
}

awaitable<std::string> choose_spawner(const config::Options& options, std::string holds_servers) {
    if (options.spawn.spawner != "auto") co_return options.spawn.spawner;
    if (!holds_servers.empty()) co_return holds_servers;
    const auto endpoint = engine_endpoint(options.docker.host);
    if (endpoint) {
        http::Client engine(*endpoint, 64 * 1024, 1);
        http::ClientRequest ping;
        ping.target = "/_ping";
        auto answer = co_await engine.send(std::move(ping), Deadline::in(2s));
        if (answer && answer->status == 200) co_return "docker";
        log::info(
            "spawner.chosen",
            {{"spawner", "local"}, {"why", "no container engine answers at " + options.docker.host}});
    }
    co_return "local";
}

}  // namespace berth::app
