#include "proxy/target.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::proxy {

std::string_view text_of(TargetErrc reason) {
    switch (reason) {
        case TargetErrc::malformed:
            return "the target is no URL";
        case TargetErrc::scheme_not_supported:
            return "the target's scheme is not supported";
    }
    return "unknown";
}

namespace {

Error malformed(std::string_view url) {
    return Error{
        TargetErrc::malformed,
        "The target \"" + ellipsized(url, 200) + "\" is no URL; write http://host:port."};
}

// A target's bytes are written into request heads, so nothing may end a line or a word there.
bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte != 0x7f;
    });
}

bool read_port(std::string_view text, std::uint16_t& port) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
    return failure == std::errc{} && end == text.data() + text.size() && port != 0;
}

bool read_authority(std::string_view authority, Target& target) {
    if (const auto at = authority.rfind('@'); at != std::string_view::npos)
        return false;  // no credentials in targets
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos) return false;
        target.host = authority.substr(1, close - 1);
        port = authority.substr(close + 1);
        if (!port.empty() && !port.starts_with(':')) return false;
        if (!port.empty()) port.remove_prefix(1);
    } else {
        const auto colon = authority.find(':');
        target.host = authority.substr(0, colon);
        if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    }
    target.port = target.tls ? 443 : 80;
    const auto usual_port = target.port;
    if (target.host.empty() || (!port.empty() && !read_port(port, target.port))) return false;
    const bool is_v6 = target.host.find(':') != std::string::npos;
    const std::string shown = is_v6 ? "[" + target.host + "]" : target.host;
    target.origin = shown + ":" + std::to_string(target.port);
    target.host_field = target.port == usual_port ? shown : target.origin;
    return true;
}

bool read_socket(std::string_view authority, Target& target) {
    const auto path = percent_decode(authority);
    if (!path || path->empty() || path->find('\0') != std::string::npos) return false;
    target.socket_path = *path;
    target.origin = "unix:" + *path;
    target.host_field = "localhost";
    return true;
}

}  // namespace

Result<Target> parse_target(std::string_view url) {
    const auto colon = url.find("://");
    if (colon == std::string_view::npos || !is_printable(url)) return malformed(url);
    const auto scheme = to_lower_ascii(url.substr(0, colon));
    auto rest = url.substr(colon + 3);
    rest = rest.substr(0, rest.find('#'));

    Target target;
    const auto query = rest.find('?');
    if (query != std::string_view::npos) target.query = rest.substr(query + 1);
    rest = rest.substr(0, query);
    const auto slash = rest.find('/');
    const auto authority = rest.substr(0, slash);
    if (slash != std::string_view::npos) target.path = rest.substr(slash);
    while (target.path.ends_with('/'))
        target.path.pop_back();

    const bool is_unix = scheme == "http+unix" || scheme == "unix+http";
    target.tls = scheme == "https";
    if (!is_unix && !target.tls && scheme != "http") {
        return Error{
            TargetErrc::scheme_not_supported,
            "The target \"" + ellipsized(url, 200) + "\" is not http://, https:// or http+unix://."};
    }
    if (!(is_unix ? read_socket(authority, target) : read_authority(authority, target)))
        return malformed(url);
    target.pool = (target.tls ? "tls:" : "") + target.origin;
    return target;
}

}  // namespace berth::proxy
