// What `berth proxy` is told at its start: configurable-http-proxy's flags (hub-protocol §14.1, §14.7) and a
// few of our own. app/proxy_command.cpp binds each field to its flag; `validate()` is asked before anything
// is opened.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/tls.hpp"
#include "obs/log.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth::proxy {

enum class OptionsErrc { invalid = 1 };
std::string_view text_of(OptionsErrc reason);
BERTH_ERROR_CATEGORY(OptionsErrc, "proxy_options")

struct ProxyOptions {
    // Listeners.
    std::string ip;                             // --ip: "" or "*" means all interfaces
    std::uint16_t port = 8000;                  // --port: 0 takes any free one
    std::string socket;                         // --socket PATH: instead of ip and port
    std::string api_ip = "localhost";           // --api-ip
    std::optional<std::uint16_t> api_port;      // --api-port: default is port + 1
    std::string api_socket;                     // --api-socket PATH: instead of api_ip and api_port
    std::string metrics_ip;                     // --metrics-ip: "" means all interfaces
    std::optional<std::uint16_t> metrics_port;  // --metrics-port: none is no metrics listener
    std::string metrics_socket;  // --metrics-socket PATH: instead of metrics_ip and metrics_port
    net::TlsFiles tls;           // --ssl-cert, --ssl-key, --ssl-dir, --ssl-ca; no certificate: plain HTTP
    net::TlsFiles api_tls;       // --api-ssl-cert, --api-ssl-key, --api-ssl-ca: the same for the REST API
    std::optional<std::uint16_t> redirect_port;  // --redirect-port: answers http there with the way to https
    std::optional<std::uint16_t> redirect_to;    // --redirect-to: the port to name; default is `port`
    std::string acme_webroot;                    // --acme-webroot: ACME tokens for that listener
    Secret auth_token;  // CONFIGPROXY_AUTH_TOKEN; empty: the API is open to whoever reaches it

    // Routing.
    std::string default_target;  // --default-target URL: the root route at the start
    std::string routes_file;  // --routes-file PATH: routes survive the process; "" keeps them in memory only
    bool host_routing = false;   // --host-routing: the first component of a route is the host name
    bool include_prefix = true;  // --no-include-prefix: strip the route's prefix from the forwarded path
    bool prepend_path = true;    // --no-prepend-path: ignore the path of the target URL

    // Forwarding.
    bool x_forward = true;         // --no-x-forward
    bool change_origin = false;    // --change-origin: Host becomes the target's
    bool auto_rewrite = false;     // --auto-rewrite: the host of Location becomes the one that was asked
    std::string protocol_rewrite;  // --protocol-rewrite PROTO: the scheme of such a Location
    std::vector<std::pair<std::string, std::string>>
        custom_headers;              // --custom-header "K: V", on forwarded requests
    net::TlsClientFiles target_tls;  // --client-ssl-cert, --client-ssl-key, --client-ssl-ca, --insecure

    // Errors.
    std::string error_target;  // --error-target URL: asked for {URL}/{code}?url=...
    std::string error_path;    // --error-path DIR: {code}.html, else error.html

    // Deadlines. Zero means none where CHP's default is none.
    std::chrono::milliseconds timeout{0};                  // --timeout: a client that neither sends nor takes
    std::chrono::milliseconds proxy_timeout{0};            // --proxy-timeout: a target that does not answer
    std::chrono::milliseconds keep_alive_timeout{75'000};  // --keep-alive-timeout: between two requests
    std::chrono::milliseconds connect_timeout{5'000};      // --connect-timeout: to a target
    std::chrono::milliseconds head_timeout{60'000};        // first byte of a head to its end
    std::chrono::milliseconds stall_timeout{600'000};      // the same for a transfer, where `timeout` is none
    std::chrono::milliseconds drain_timeout{3'000};        // after SIGTERM, for requests in flight
    // --handover-timeout: after SIGUSR2, for connections that the successor does not have
    std::chrono::milliseconds handover_timeout{24 * 60 * 60 * 1000};

    // Limits.
    // --max-connections-per-address: open at once from one client address (IPv6: one /64); 0: any number
    std::uint32_t max_connections_per_address = 0;

    // --edge-cache-bytes: of images' static files in memory (proxy/edge_files.hpp); 0: none
    std::size_t edge_cache_bytes = 256 * 1024 * 1024;

    // The process.
    unsigned workers = 0;                     // --workers: event loops; 0 means one a core
    std::string pid_file;                     // --pid-file: removed at the end
    log::Level log_level = log::Level::info;  // --log-level

    // How long a transfer may make no progress.
    std::chrono::milliseconds stall_time() const { return timeout.count() > 0 ? timeout : stall_timeout; }
};

// Errors: OptionsErrc::invalid, whose message names the flag.
Result<void> validate(const ProxyOptions& options);
// "Name: value"; the value may hold colons. Errors: OptionsErrc::invalid ("A colon was expected").
Result<std::pair<std::string, std::string>> parse_custom_header(std::string_view text);
// debug, info, warn, error.
std::optional<log::Level> parse_log_level(std::string_view text);

}  // namespace berth::proxy
