// The cookie by which a browser shows the proxy that the hub let it in to a server: until when, for which
// prefix, and a MAC that only the hub and this proxy can make. It opens nothing but files of the server's
// image (proxy/edge_files.hpp); the server itself asks for its own cookie as ever. Pure.
#pragma once

#include "base/secret.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::proxy {

inline constexpr std::string_view kEdgeCookie = "berth-edge";
inline constexpr std::int64_t kLongestPassSeconds = 12 * 60 * 60;

class EdgePasses {
public:
    // `control_token`: of the control API, which is what hub and proxy share. Empty: there are no passes.
    explicit EdgePasses(const Secret& control_token);

    // "<expiry in Unix seconds>.<MAC>" for the route of that key: "user/ann", decoded, without outer slashes.
    std::string make(std::string_view route_key, std::int64_t expires) const;
    // Does a Cookie field hold a pass for that route which has not expired, and expires within 12 h?
    bool holds(std::string_view cookie_field, std::string_view route_key, std::int64_t now) const;

private:
    std::string signature(std::string_view route_key, std::string_view expires) const;
    bool is_valid(std::string_view value, std::string_view route_key, std::int64_t now) const;

    Secret key_;
};

// The Cookie field without passes: nothing when it holds none, so that it goes on as it came.
std::optional<std::string> without_passes(std::string_view cookie_field);

}  // namespace berth::proxy
