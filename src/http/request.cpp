#include "base/text.hpp"
#include "http/message.hpp"

#include <algorithm>

namespace berth::http {
namespace {

std::string_view first_element(std::string_view list) {
    return trim(list.substr(0, list.find(',')));
}

// "proto" of the first element of Forwarded (RFC 7239 §4), unquoted.
std::string_view forwarded_proto(std::string_view header) {
    for (auto pair : split(first_element(header), ';')) {
        pair = trim(pair);
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos || !equals_ignoring_case(trim(pair.substr(0, equals)), "proto"))
            continue;
        auto value = trim(pair.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        return value;
    }
    return {};
}

bool is_loopback(std::string_view address) {
    return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

// A reverse proxy on this machine, or one that the configuration names.
bool is_in_front(std::string_view address, const std::vector<net::AddressRange>* trusted_proxies) {
    if (is_loopback(address)) return true;
    return trusted_proxies != nullptr &&
           std::any_of(trusted_proxies->begin(), trusted_proxies->end(), [&](const auto& range) {
               return range.contains(address);
           });
}

// "1.2.3.4", "1.2.3.4:567", "[v6]" and "[v6]:567" without brackets and port.
std::string_view without_port(std::string_view address) {
    if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
    const auto colon = address.find(':');
    return colon != std::string_view::npos && address.find(':', colon + 1) == std::string_view::npos
               ? address.substr(0, colon)
               : address;
}

template <class Visit>
void for_each_cookie(const Headers& headers, Visit visit) {
    for (const auto header : headers.all("Cookie")) {
        for (auto pair : split(header, ';')) {
            pair = trim(pair);
            const auto equals = pair.find('=');
            if (equals == std::string_view::npos) continue;
            auto value = trim(pair.substr(equals + 1));
            if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
                value = value.substr(1, value.size() - 2);
            }
            if (!visit(trim(pair.substr(0, equals)), value)) return;
        }
    }
}

}  // namespace

std::string_view Request::path() const {
    std::string_view text = target;
    if (!text.starts_with('/')) {  // absolute-form: behind the authority
        const auto scheme = text.find("://");
        const auto path_begin =
            scheme == std::string_view::npos ? scheme : text.find_first_of("/?", scheme + 3);
        if (scheme == std::string_view::npos) return text;
        if (path_begin == std::string_view::npos || text[path_begin] == '?') return "/";
        text.remove_prefix(path_begin);
    }
    return text.substr(0, text.find('?'));
}

std::string_view Request::query() const {
    const auto begin = target.find('?');
    return begin == std::string::npos ? std::string_view{} : std::string_view(target).substr(begin + 1);
}

std::optional<std::string> Request::query_value(std::string_view name) const {
    for (const auto pair : split(query(), '&')) {
        const auto equals = pair.find('=');
        if (pair.empty() || form_decode(pair.substr(0, equals)) != name) continue;
        return equals == std::string_view::npos ? std::string() : form_decode(pair.substr(equals + 1));
    }
    return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> Request::query_values() const {
    std::vector<std::pair<std::string, std::string>> values;
    for (const auto pair : split(query(), '&')) {
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        values.emplace_back(
            form_decode(pair.substr(0, equals)),
            equals == std::string_view::npos ? std::string() : form_decode(pair.substr(equals + 1)));
    }
    return values;
}

std::optional<std::string> Request::cookie(std::string_view name) const {
    std::optional<std::string> found;
    for_each_cookie(headers, [&](std::string_view each, std::string_view value) {
        if (each == name) found = std::string(value);
        return !found;
    });
    return found;
}

std::vector<std::string> Request::cookies(std::string_view name) const {
    std::vector<std::string> found;
    for_each_cookie(headers, [&](std::string_view each, std::string_view value) {
        if (each == name) found.emplace_back(value);
        return true;
    });
    return found;
}

std::string Request::browser_scheme() const {
    if (!from_proxy) return "http";
    std::string_view scheme;
    if (const auto forwarded = headers.find("Forwarded")) scheme = forwarded_proto(*forwarded);
    if (const auto given = headers.find("X-Scheme"); scheme.empty() && given) scheme = first_element(*given);
    if (const auto given = headers.find("X-Forwarded-Proto"); scheme.empty() && given)
        scheme = first_element(*given);
    return equals_ignoring_case(scheme, "https") || equals_ignoring_case(scheme, "wss") ? "https" : "http";
}

std::string Request::host() const {
    return std::string(headers.find("Host").value_or(""));
}

std::string Request::client_address() const {
    if (!from_proxy) return peer_address;
    // The last entry is the peer that our proxy saw. A reverse proxy in front of it is not the client: behind
    // one, everybody would share one address, and with it one limit of failed sign-ins.
    const auto headers_found = headers.all("X-Forwarded-For");
    std::string_view nearest;
    for (auto header = headers_found.rbegin(); header != headers_found.rend(); ++header) {
        const auto entries = split(*header, ',');
        for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
            const auto address = without_port(trim(*entry));
            if (address.empty()) continue;
            if (nearest.empty()) nearest = address;
            if (!is_in_front(address, trusted_proxies)) return std::string(address);
        }
    }
    if (!nearest.empty()) return std::string(nearest);
    return std::string(headers.find("X-Real-Ip").value_or(peer_address));
}

}  // namespace berth::http
