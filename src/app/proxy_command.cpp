#include "app/proxy_command.hpp"

#include "obs/log.hpp"
#include "proxy/proxy.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>

namespace berth::app {
namespace {

// It outlives the hub that started it, so nobody else can put a limit on what it writes.
constexpr std::size_t kLargestLogFile = 16 * 1024 * 1024;

struct RawTls {
    std::string authorities;
    bool request = false;
    bool reject = false;
    std::string ignored;
};

// What the flags say in words of their own, before they become fields.
struct Raw {
    std::vector<std::string> custom_headers;
    std::string log_level = "info";
    std::string log_file;
    std::int64_t timeout = 0;
    std::int64_t proxy_timeout = 0;
    std::int64_t keep_alive_timeout = 75'000;
    std::int64_t connect_timeout = 5'000;
    std::int64_t handover_timeout = 86'400'000;
    std::uint16_t api_port = 0;
    std::uint16_t metrics_port = 0;
    std::uint16_t redirect_port = 0;
    std::uint16_t redirect_to = 0;
    std::string storage_backend;
    RawTls tls, api_tls, target_tls;
};

void bind_listeners(CLI::App& app, proxy::ProxyOptions& options, Raw& raw) {
    app.add_option("--ip", options.ip, "Public-facing address; '*' or nothing: all interfaces");
    app.add_option("--port", options.port, "Public-facing port (0: any free one)")->capture_default_str();
    app.add_option("--socket", options.socket, "Unix socket instead of --ip and --port");
    app.add_option("--api-ip", options.api_ip, "Address of the REST API")->capture_default_str();
    app.add_option("--api-port", raw.api_port, "Port of the REST API (default: --port + 1)");
    app.add_option("--api-socket", options.api_socket, "Unix socket instead of --api-ip and --api-port");
    app.add_option("--metrics-ip", options.metrics_ip, "Address of /metrics; nothing: all interfaces");
    app.add_option("--metrics-port", raw.metrics_port, "Port of /metrics (default: no metrics listener)");
    app.add_option("--metrics-socket", options.metrics_socket, "Unix socket instead of --metrics-port");
    app.add_option("--redirect-port", raw.redirect_port, "Port where http is answered with the way to https");
    app.add_option(
        "--acme-webroot",
        options.acme_webroot,
        "Folder whose .well-known/acme-challenge/ is served at --redirect-port");
    app.add_option("--redirect-to", raw.redirect_to, "Port that it names (default: --port)");
    app.add_option(
           "--max-connections-per-address",
           options.max_connections_per_address,
           "Connections that one client address (IPv6: one /64) may have open; more get 429 (0: any number)")
        ->capture_default_str();
    app.add_option(
           "--edge-cache-bytes",
           options.edge_cache_bytes,
           "Most bytes of images' static files that are kept in memory (0: none)")
        ->capture_default_str();
    app.add_option("--workers", options.workers, "Event loops (0: one a core)")->capture_default_str();
    app.add_option("--pid-file", options.pid_file, "Write our pid here; removed at the end");
    app.add_option("--log-level", raw.log_level, "debug, info, warn or error")->capture_default_str();
    app.add_option(
        "--log-file",
        raw.log_file,
        "Write the log there, not to stderr; with the file before, at most 32 MiB");
}

// One of CHP's three families of TLS flags. Old ones are taken and change nothing: TLS is 1.2 or 1.3 with
// modern ciphers, whatever they ask for.
void bind_tls(
    CLI::App& app, const std::string& side, net::TlsPair& pair, RawTls& raw, const std::string& whose) {
    const std::string flag = "--" + side + "ssl-";
    app.add_option(flag + "cert", pair.certificate, "Certificate chain (PEM) " + whose);
    app.add_option(flag + "key", pair.key, "Its key (PEM)");
    app.add_option(flag + "ca", raw.authorities, "Who may have signed the other side's certificate (PEM)");
    app.add_flag(flag + "request-cert", raw.request, "Ask the other side for a certificate");
    app.add_flag(flag + "reject-unauthorized", raw.reject, "Refuse it without a good one");
    for (const auto* old : {"protocol", "ciphers", "dhparam"})
        app.add_option(flag + old, raw.ignored)->group("");
    app.add_flag(flag + "allow-rc4")->group("");
}

Result<std::string> authorities_of(const std::string& side, const RawTls& raw) {
    if (!raw.request || !raw.reject) return std::string();
    if (!raw.authorities.empty()) return raw.authorities;
    return Error{
        proxy::OptionsErrc::invalid,
        "--" + side + "ssl-reject-unauthorized needs --" + side + "ssl-ca, or nobody could be let in."};
}

void bind_routing(CLI::App& app, proxy::ProxyOptions& options, Raw& raw) {
    app.add_option("--default-target", options.default_target, "URL for what no route matches");
    app.add_option(
        "--routes-file", options.routes_file, "Keep routes here, so that a restarted proxy has them at once");
    app.add_flag("--host-routing", options.host_routing, "Match the Host as the first component of the path");
    app.add_flag_callback(
        "--no-include-prefix",
        [&options] { options.include_prefix = false; },
        "Strip the route's prefix from forwarded paths");
    app.add_flag_callback(
        "--no-prepend-path",
        [&options] { options.prepend_path = false; },
        "Do not put the target's own path before forwarded paths");
    app.add_option("--storage-backend", raw.storage_backend, "Refused: see --routes-file")->group("");
    app.add_option("--error-target", options.error_target, "URL asked for error pages: URL/CODE?url=...");
    app.add_option("--error-path", options.error_path, "Folder of error pages: CODE.html, else error.html");
}

void bind_forwarding(CLI::App& app, proxy::ProxyOptions& options, Raw& raw) {
    app.add_flag_callback(
        "--no-x-forward", [&options] { options.x_forward = false; }, "Add no X-Forwarded-* fields");
    app.add_flag("--change-origin", options.change_origin, "Host becomes the target's");
    app.add_flag(
        "--auto-rewrite", options.auto_rewrite, "Rewrite the host of redirects to the one that was asked");
    app.add_option("--protocol-rewrite", options.protocol_rewrite, "Rewrite the scheme of redirects");
    app.add_option(
           "--custom-header", raw.custom_headers, "\"Name: value\" added to forwarded requests; repeatable")
        ->allow_extra_args(false);
    app.add_flag_callback(
        "--insecure",
        [&options] { options.target_tls.verify = false; },
        "Take whatever certificate an https target shows");
    app.add_option("--timeout", raw.timeout, "Milliseconds until an inactive client is closed (0: never)");
    app.add_option("--proxy-timeout", raw.proxy_timeout, "Milliseconds a target has to answer (0: for ever)");
    app.add_option("--keep-alive-timeout", raw.keep_alive_timeout, "Milliseconds between two requests")
        ->capture_default_str();
    app.add_option(
           "--connect-timeout", raw.connect_timeout, "Milliseconds a target has to accept a connection")
        ->capture_default_str();
    app.add_option(
           "--handover-timeout",
           raw.handover_timeout,
           "Milliseconds open connections may go on after SIGUSR2 put another program in our place")
        ->capture_default_str();
}

Result<void> finish(const CLI::App& app, const Raw& raw, proxy::ProxyOptions& options) {
    using std::chrono::milliseconds;
    if (app.count("--api-port") > 0) options.api_port = raw.api_port;
    if (app.count("--redirect-port") > 0) options.redirect_port = raw.redirect_port;
    if (app.count("--redirect-to") > 0) options.redirect_to = raw.redirect_to;
    for (const auto& [name, pair] :
         {std::pair{"CONFIGPROXY_SSL_KEY_PASSPHRASE", &options.tls.pair},
          std::pair{"CONFIGPROXY_API_SSL_KEY_PASSPHRASE", &options.api_tls.pair},
          std::pair{"CONFIGPROXY_CLIENT_SSL_KEY_PASSPHRASE", &options.target_tls.pair}}) {
        if (const char* passphrase = std::getenv(name)) pair->passphrase = passphrase;
    }
    BERTH_TRY(options.tls.client_authorities, authorities_of("", raw.tls));
    BERTH_TRY(options.api_tls.client_authorities, authorities_of("api-", raw.api_tls));
    options.target_tls.authorities = raw.target_tls.authorities;
    if (app.count("--metrics-port") > 0) options.metrics_port = raw.metrics_port;
    if (app.count("--storage-backend") > 0)
        return Error{
            proxy::OptionsErrc::invalid,
            "--storage-backend names a Node module, which this program cannot load. Routes survive a restart "
            "with --routes-file PATH; leave --storage-backend out."};
    options.timeout = milliseconds{raw.timeout};
    options.proxy_timeout = milliseconds{raw.proxy_timeout};
    options.keep_alive_timeout = milliseconds{raw.keep_alive_timeout};
    options.connect_timeout = milliseconds{raw.connect_timeout};
    options.handover_timeout = milliseconds{raw.handover_timeout};
    const auto level = proxy::parse_log_level(raw.log_level);
    if (!level) return Error{proxy::OptionsErrc::invalid, "--log-level is debug, info, warn or error."};
    options.log_level = *level;
    for (const auto& text : raw.custom_headers) {
        BERTH_TRY(auto header, proxy::parse_custom_header(text));
        options.custom_headers.push_back(std::move(header));
    }
    if (const char* token = std::getenv("CONFIGPROXY_AUTH_TOKEN")) options.auth_token = Secret(token);
    return boost::system::in_place_value;
}

}  // namespace

int proxy_command(int argc, char** argv) {
    CLI::App app(
        "The data plane: forwards requests and WebSockets to the servers behind its routes.", "berth proxy");
    proxy::ProxyOptions options;
    Raw raw;
    bind_listeners(app, options, raw);
    bind_tls(app, "", options.tls.pair, raw.tls, "of the public side: https only");
    app.add_option(
        "--ssl-dir",
        options.tls.folder,
        "Folder of more certificates, NAME.crt and NAME.key or NAME/fullchain.pem, chosen by the name asked "
        "for");
    bind_tls(app, "api-", options.api_tls.pair, raw.api_tls, "of the REST API: https only");
    bind_tls(app, "client-", options.target_tls.pair, raw.target_tls, "shown to https targets");
    bind_routing(app, options, raw);
    bind_forwarding(app, options, raw);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& refused) {  // CLI11's way of saying it; --help comes here too
        return app.exit(refused) == 0 ? 0 : 1;
    }
    if (const auto done = finish(app, raw, options); !done) {
        std::fprintf(stderr, "berth proxy: %s\n", done.error().message.c_str());
        return 1;
    }
    if (!raw.log_file.empty()) log::to_file(raw.log_file, kLargestLogFile);
    return proxy::run(options);
}

}  // namespace berth::app
