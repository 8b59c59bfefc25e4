#include "app/builtin.hpp"

#include "base/assert.hpp"
#include "http/client.hpp"
#include "identity/authenticators/dummy.hpp"
#include "identity/authenticators/password.hpp"
#include "obs/log.hpp"
#include "spawn/spawners/docker/docker_spawner.hpp"
#include "spawn/spawners/local/local_spawner.hpp"

#include <unistd.h>

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
    if (name == "docker") return spawn::make_docker_spawner(pool, options.docker, options.spawn);
    BERTH_ASSERT(name == "local");  // config/validate.cpp lets nothing else through
    return spawn::make_local_spawner(executor, pool, options.local, options.spawn, options.state_dir);
}

std::unique_ptr<identity::Authenticator> make_authenticator(
    const config::AuthenticationOptions& options, const identity::Directory& directory, BlockingPool& pool) {
    if (options.method == "dummy") return identity::make_dummy_authenticator(options.dummy);
    BERTH_ASSERT(options.method == "password");
    return identity::make_password_authenticator(directory, pool);
}

std::string_view text_of(BuiltinErrc reason) {
    switch (reason) {
        case BuiltinErrc::holds_servers_of_another_spawner:
            return "servers of another spawner run";
        case BuiltinErrc::local_as_root:
            return "local processes as root";
    }
    return "unknown";
}

awaitable<Result<std::string>> choose_spawner(const config::Options& options, SpawnerHistory history) {
    const auto& wanted = options.spawn.spawner;
    if (wanted != "auto") {
        if (history.holds_servers.empty() || history.holds_servers == wanted) co_return wanted;
        co_return Error{
            BuiltinErrc::holds_servers_of_another_spawner,
            "spawner: " + wanted + " cannot look after the servers that still run under '" +
                history.holds_servers + "'. Start with spawner: " + history.holds_servers +
                ", stop them, and then change it."};
    }
    if (!history.holds_servers.empty()) co_return history.holds_servers;
    if (history.chosen == "docker") co_return history.chosen;
    const auto endpoint = engine_endpoint(options.docker.host);
    if (endpoint) {
        http::Client engine(*endpoint, 64 * 1024, 1);
        http::ClientRequest ping;
        ping.target = "/_ping";
        auto answer = co_await engine.send(std::move(ping), Deadline::in(2s));
        if (answer && answer->status == 200) co_return "docker";
    }
    const auto public_url = net::parse_http_url(options.bind_url);
    const bool only_here =
        public_url && (public_url->endpoint.host.starts_with("127.") ||
                       public_url->endpoint.host == "localhost" || public_url->endpoint.host == "::1");
    if (::geteuid() == 0 && !only_here && !options.local.system_users)
        co_return Error{
            BuiltinErrc::local_as_root,
            "spawner: no container engine answers at " + options.docker.host +
                ", and as local processes everybody's notebook would run as root. Start Docker, run Berth "
                "as another user, or write spawner: local if that is what you want."};
    log::info(
        "spawner.chosen",
        {{"spawner", "local"}, {"why", "no container engine answers at " + options.docker.host}});
    co_return "local";
}

}  // namespace berth::app
