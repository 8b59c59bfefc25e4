#include "base/text.hpp"
#include "net/listener.hpp"

#include <charconv>

namespace berth::net {
namespace {

constexpr std::size_t kMaxUnixPath = 107;  // sockaddr_un::sun_path without its NUL

Error malformed(std::string_view text, std::string_view why) {
    std::string message = "'";
    message.append(text).append("' is not an address to use: ").append(why);
    message += ". Write HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH.";
    return {NetErrc::malformed_address, std::move(message)};
}

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
    return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool is_host_text(std::string_view host) {
    return host.find_first_of(" \t\r\n/?#@\\\"") == std::string_view::npos;
}

Result<Endpoint> parse_unix(std::string_view text, std::string_view path) {
    if (path.empty() || path.front() != '/') return malformed(text, "a Unix socket needs an absolute path");
    if (path.size() > kMaxUnixPath) {
        return malformed(text, "a Unix socket's path is at most 107 bytes long, so use a shorter directory");
    }
    Endpoint endpoint;
    endpoint.path = path;
    return endpoint;
}

// Splits "host", "host:port", "[v6]" and "[v6]:port"; `port` stays empty when there is none.
bool split_authority(
    std::string_view authority, std::string_view& host, std::string_view& port, bool& has_port) {
    std::string_view rest;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos || end == 1) return false;
        host = authority.substr(1, end - 1);
        rest = authority.substr(end + 1);
        if (!rest.empty() && rest.front() != ':') return false;
    } else {
        const auto colon = authority.find(':');
        host = authority.substr(0, colon);
        if (colon != std::string_view::npos) rest = authority.substr(colon);
    }
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
    return is_host_text(host);
}

}  // namespace

std::string_view text_of(NetErrc reason) {
    switch (reason) {
        case NetErrc::address_in_use:
            return "the address is in use";
        case NetErrc::address_unusable:
            return "the address cannot be used";
        case NetErrc::connect_refused:
            return "the connection was refused";
        case NetErrc::connect_timeout:
            return "the connection took too long";
        case NetErrc::unknown_host:
            return "the host is unknown";
        case NetErrc::malformed_address:
            return "the address is malformed";
    }
    return "unknown network error";
}

std::string Endpoint::to_string() const {
    if (is_unix()) return "unix:" + path;
    const std::string name = host.empty() ? "*" : host;
    const bool bracketed = name.find(':') != std::string::npos;
    return (bracketed ? "[" + name + "]" : name) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    if (text.starts_with("unix:")) return parse_unix(text, text.substr(5));
    std::string_view host;
    std::string_view port;
    bool has_port = false;
    if (!split_authority(text, host, port, has_port)) return malformed(text, "the host is malformed");
    if (!has_port) return malformed(text, "the port is missing");
    Endpoint endpoint;
    if (!parse_port(port, endpoint.port)) return malformed(text, "the port is not a number from 0 to 65535");
    endpoint.host = host;
    return endpoint;
}

Result<HttpUrl> parse_http_url(std::string_view url) {
    const auto refused = [&](std::string_view why) {
        std::string message = "'";
        message.append(url)
            .append("' is not a URL to use: ")
            .append(why)
            .append(". Write http://HOST:PORT/PATH or https://HOST:PORT/PATH.");
        return Error{NetErrc::malformed_address, std::move(message)};
    };
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) return refused("it does not begin with http://");
    const bool tls = equals_ignoring_case(url.substr(0, scheme_end), "https");
    if (!tls && !equals_ignoring_case(url.substr(0, scheme_end), "http"))
        return refused("it is neither http nor https");
    const auto rest = url.substr(scheme_end + 3);
    const auto path_begin = rest.find_first_of("/?#");
    const auto authority = rest.substr(0, path_begin);
    std::string_view host;
    std::string_view port;
    bool has_port = false;
    if (!split_authority(authority, host, port, has_port)) return refused("the host is malformed");
    if (host.empty() && !has_port) return refused("the host is missing");
    HttpUrl parsed;
    parsed.scheme = tls ? "https" : "http";
    parsed.endpoint.host = host;
    parsed.endpoint.port = tls ? 443 : 80;
    if (has_port && !parse_port(port, parsed.endpoint.port)) {
        return refused("the port is not a number from 0 to 65535");
    }
    if (path_begin != std::string_view::npos) parsed.path = rest.substr(path_begin);
    if (parsed.path.find_first_of(" \t\r\n#") != std::string::npos) return refused("the path is malformed");
    if (!parsed.path.starts_with('/')) parsed.path.insert(0, 1, '/');
    return parsed;
}

}  // namespace berth::net
