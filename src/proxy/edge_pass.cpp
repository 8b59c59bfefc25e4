#include "proxy/edge_pass.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <charconv>

namespace berth::proxy {
namespace {

constexpr std::string_view kPurpose = "berth edge pass 1";
constexpr int kMostPasses = 8;  // of nested paths; each costs one MAC

bool is_pass(std::string_view pair) {
    return pair.starts_with(kEdgeCookie) && pair.size() > kEdgeCookie.size() &&
           pair[kEdgeCookie.size()] == '=';
}

Secret key_from(const Secret& control_token) {
    if (control_token.empty()) return {};
    return Secret(hmac_sha256_base64url(control_token.reveal(), kPurpose));
}

}  // namespace

EdgePasses::EdgePasses(const Secret& control_token) : key_(key_from(control_token)) {}

std::string EdgePasses::signature(std::string_view route_key, std::string_view expires) const {
    std::string text(expires);
    text.append("\n").append(route_key);
    return hmac_sha256_base64url(key_.reveal(), text);
}

std::string EdgePasses::make(std::string_view route_key, std::int64_t expires) const {
    std::string value = std::to_string(expires);
    const auto mac = signature(route_key, value);
    return value.append(".").append(mac);
}

bool EdgePasses::is_valid(std::string_view value, std::string_view route_key, std::int64_t now) const {
    const auto dot = value.find('.');
    if (dot == std::string_view::npos) return false;
    const auto text = value.substr(0, dot);
    std::int64_t expires = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), expires);
    if (failure != std::errc{} || end != text.data() + text.size()) return false;
    if (expires <= now || expires > now + kLongestPassSeconds) return false;
    return equal_constant_time(signature(route_key, text), value.substr(dot + 1));
}

bool EdgePasses::holds(std::string_view cookie_field, std::string_view route_key, std::int64_t now) const {
    if (key_.empty()) return false;
    int tried = 0;
    for (const auto each : split(cookie_field, ';')) {
        const auto pair = trim(each);
        if (!is_pass(pair)) continue;
        if (is_valid(pair.substr(kEdgeCookie.size() + 1), route_key, now)) return true;
        if (++tried == kMostPasses) break;
    }
    return false;
}

std::optional<std::string> without_passes(std::string_view cookie_field) {
    if (cookie_field.find(kEdgeCookie) == std::string_view::npos) return std::nullopt;
    std::string kept;
    bool found = false;
    for (const auto each : split(cookie_field, ';')) {
        const auto pair = trim(each);
        if (is_pass(pair) || pair == kEdgeCookie) {
            found = true;
            continue;
        }
        if (!kept.empty()) kept.append("; ");
        kept.append(pair);
    }
    if (!found) return std::nullopt;
    return kept;
}

}  // namespace berth::proxy
