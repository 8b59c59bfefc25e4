// The two signed values that browsers carry: who signed in, and the XSRF token (hub-protocol §6.1, §6.4).
// Pure: made and checked from the secret, the time and the request's own facts.
#pragma once

#include "base/secret.hpp"
#include "base/units.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace berth::gate {

inline constexpr std::string_view kLoginCookie = "jupyterhub-hub-login";
inline constexpr std::string_view kSessionCookie = "jupyterhub-session-id";
inline constexpr std::string_view kServicesCookie = "jupyterhub-services";  // only ever cleared
inline constexpr std::string_view kXsrfCookie = "_xsrf";

// "1.<unix time>.<cookie id>.<HMAC>": names nobody, and ends when the user's cookie id changes.
std::string make_login_value(const Secret& secret, std::string_view cookie_id, Timestamp issued);
// The cookie id, when the signature holds and it was issued at most `max_age` ago (and not in the future).
std::optional<std::string> read_login_value(
    const Secret& secret, std::string_view value, std::chrono::seconds max_age, Timestamp now);

// A token for one browser session of one user, or of nobody: whoever signs in or out gets another one.
std::string make_xsrf_token(const Secret& secret, std::string_view session_id, std::string_view who);
// Stands for a browser that has not signed in: address and User-Agent.
std::string anonymous_id(std::string_view client_address, std::string_view user_agent);

}  // namespace berth::gate
