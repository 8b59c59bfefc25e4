#include "gate/cookies.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <charconv>

namespace berth::gate {
namespace {

constexpr std::chrono::seconds kClockSkew{60};

std::string signature(const Secret& secret, std::string_view purpose, std::string_view data) {
    std::string text(purpose);
    text.append("\n").append(data);
    return hmac_sha256_base64url(secret.reveal(), text);
}

}  // namespace

std::string make_login_value(const Secret& secret, std::string_view cookie_id, Timestamp issued) {
    const auto unix_time =
        std::chrono::duration_cast<std::chrono::seconds>(issued.time_since_epoch()).count();
    std::string value = "1.";
    value.append(std::to_string(unix_time)).append(".").append(cookie_id);
    std::string signed_with = signature(secret, "login", value);
    return value.append(".").append(signed_with);
}

std::optional<std::string> read_login_value(
    const Secret& secret, std::string_view value, std::chrono::seconds max_age, Timestamp now) {
    const auto parts = split(value, '.');
    if (parts.size() != 4 || parts[0] != "1" || parts[2].empty()) return std::nullopt;
    const auto signed_part = value.substr(0, value.size() - parts[3].size() - 1);
    if (!equal_constant_time(signature(secret, "login", signed_part), parts[3])) return std::nullopt;
    std::int64_t unix_time = 0;
    const auto [end, ec] = std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), unix_time);
    if (ec != std::errc{} || end != parts[1].data() + parts[1].size()) return std::nullopt;
    const auto age =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() - unix_time;
    if (age > max_age.count() || age < -kClockSkew.count()) return std::nullopt;
    return std::string(parts[2]);
}

std::string make_xsrf_token(const Secret& secret, std::string_view session_id, std::string_view who) {
    std::string id(session_id);
    id.append(":").append(who);
    return signature(secret, "xsrf", id);
}

std::string anonymous_id(std::string_view client_address, std::string_view user_agent) {
    std::string text(client_address);
    text.append("\n").append(user_agent);
    return sha256_base64url(text);
}

}  // namespace berth::gate
