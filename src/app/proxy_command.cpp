#include "app/proxy_command.hpp"

#include "proxy/proxy.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>

namespace berth::app {
namespace {

// What the flags say in words of their own, before they become fields.
struct Raw {
    std::vector<std::string> custom_headers;
    std::string log_level = "info";
    std::int64_t timeout = 0;
    std::int64_t proxy_timeout = 0;
    std::int64_t keep_alive_timeout = 75'000;
    std::int64_t connect_timeout = 5'000;
    std::uint16_t api_port = 0;
};

void bind_listeners(CLI::App& app, proxy::ProxyOptions& options, Raw& raw) {
    app.add_option("--ip", options.ip, "Public-facing address; '*' or nothing: all interfaces");
    app.add_option("--port", options.port, "Public-facing port (0: any free one)")->capture_default_str();
    app.add_option("--socket", options.socket, "Unix socket instead of --ip and --port");
    app.add_option("--api-ip", options.api_ip, "Address of the REST API")->capture_default_str();
    app.add_option("--api-port", raw.api_port, "Port of the REST API (default: --port + 1)");
    app.add_option("--api-socket", options.api_socket, "Unix socket instead of --api-ip and --api-port");
    app.add_option("--workers", options.workers, "Event loops (0: one a core)")->capture_default_str();
    app.add_option("--pid-file", options.pid_file, "Write our pid here; removed at the end");
    app.add_option("--log-level", raw.log_level, "debug, info, warn or error")->capture_default_str();
}

void bind_routing(CLI::App& app, proxy::ProxyOptions& options) {
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
    app.add_flag("--insecure", options.insecure, "Accepted for compatibility; targets are http only");
    app.add_option("--timeout", raw.timeout, "Milliseconds until an inactive client is closed (0: never)");
    app.add_option("--proxy-timeout", raw.proxy_timeout, "Milliseconds a target has to answer (0: for ever)");
    app.add_option("--keep-alive-timeout", raw.keep_alive_timeout, "Milliseconds between two requests")
        ->capture_default_str();
    app.add_option(
           "--connect-timeout", raw.connect_timeout, "Milliseconds a target has to accept a connection")
        ->capture_default_str();
}

Result<void> finish(const CLI::App& app, const Raw& raw, proxy::ProxyOptions& options) {
    using std::chrono::milliseconds;
    if (app.count("--api-port") > 0) options.api_port = raw.api_port;
    options.timeout = milliseconds{raw.timeout};
    options.proxy_timeout = milliseconds{raw.proxy_timeout};
    options.keep_alive_timeout = milliseconds{raw.keep_alive_timeout};
    options.connect_timeout = milliseconds{raw.connect_timeout};
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
    bind_routing(app, options);
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
    return proxy::run(options);
}

}  // namespace berth::app
