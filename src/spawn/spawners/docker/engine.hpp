// The Docker Engine's HTTP API: one pool of connections, the version that both sides know, and the engine's
// refusals as errors. Every call has a deadline. Hub strand only.
#pragma once

#include "http/client.hpp"
#include "spawn/spawner.hpp"

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace berth::spawn::docker {

// "unix:///var/run/docker.sock" or "tcp://host:2375". Error: bad_request, which names docker.host.
Result<net::Endpoint> parse_host(std::string_view host);

struct ApiVersion {
    int major = 1;
    int minor = 0;
    auto operator<=>(const ApiVersion&) const = default;
    std::string to_string() const { return std::to_string(major) + "." + std::to_string(minor); }
};
std::optional<ApiVersion> parse_version(std::string_view text);
inline constexpr ApiVersion kOldestApi{1, 40};  // DeviceRequests
inline constexpr ApiVersion kNewestApi{1, 47};

struct Answer {
    unsigned status = 0;
    json::value body;  // null when there was none, or it was no JSON
    std::string raw;

    std::string said() const;  // the engine's own message
    bool ok() const { return status < 300 || status == 304; }
};

class Engine {
public:
    explicit Engine(net::Endpoint at);

    // Asks for the version when it is not known yet. Errors: backend_unreachable, backend_failed (too old,
    // Podman).
    awaitable<Result<void>> negotiate(Deadline deadline);
    // `path` without the version: "/containers/json?all=1". Any status is an answer. Errors:
    // backend_unreachable.
    awaitable<Result<Answer>> get(std::string path, Deadline deadline);
    // Its body is left in `raw`, for who reads it elsewhere.
    awaitable<Result<Answer>> get_unread(std::string path, Deadline deadline);
    awaitable<Result<Answer>> post(std::string path, json::value body, Deadline deadline);
    // `archive`: what `tar c` writes.
    awaitable<Result<Answer>> put_archive(std::string path, std::string archive, Deadline deadline);
    awaitable<Result<Answer>> del(std::string path, Deadline deadline);
    awaitable<Result<std::unique_ptr<http::ClientStream>>> open(
        http::Method method, std::string path, Deadline deadline);

    ApiVersion version() const { return version_.value_or(kOldestApi); }
    ApiVersion newest_of_engine() const { return newest_of_engine_; }  // may be above what is spoken
    bool is_on_this_machine() const { return at_.is_unix(); }

private:
    awaitable<Result<Answer>> send(http::ClientRequest request, Deadline deadline);
    http::ClientRequest request_of(http::Method method, const std::string& path) const;
    Error translated(const Error& error) const;

    net::Endpoint at_;
    http::Client client_;
    std::optional<ApiVersion> version_;
    ApiVersion newest_of_engine_;
};

// An error of that reason, whose detail is what the engine said.
Error refused(SpawnErrc reason, std::string to_person, const Answer& answer);

}  // namespace berth::spawn::docker
