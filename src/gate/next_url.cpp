#include "gate/next_url.hpp"

#include "base/text.hpp"

namespace berth::gate {
namespace {

// Browsers drop tabs and line ends anywhere in a URL and read a backslash as a slash, so both are encoded
// before anything is decided; so is whatever does not belong into a header field.
std::string sanitized(std::string_view next) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(next.size());
    for (char c : next) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>') {
            out += '%';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    return out;
}

std::size_t leading_slashes(std::string_view text) {
    const auto end = text.find_first_not_of('/');
    return end == std::string_view::npos ? text.size() : end;
}

}  // namespace

std::optional<std::string> local_next_url(
    std::string_view next, std::string_view scheme, std::string_view host) {
    std::string url = sanitized(trim(next));
    if (leading_slashes(url) > 2) url.erase(0, leading_slashes(url) - 2);
    std::string own_host("//");
    own_host.append(host).append("/");
    std::string own_origin(scheme);
    own_origin.append(":").append(own_host);
    for (const auto& prefix : {own_origin, own_host}) {
        if (host.empty() || !url.starts_with(prefix)) continue;
        url.erase(0, prefix.size());
        url.erase(0, leading_slashes(url));  // HOST//elsewhere must not become //elsewhere
        url.insert(url.begin(), '/');
        break;
    }
    if (leading_slashes(url) != 1) return std::nullopt;
    return url;
}

}  // namespace berth::gate
