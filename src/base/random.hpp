// Unguessable texts from libsodium's generator, and digests. Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

std::string random_hex(std::size_t bytes);           // 2 * bytes characters
std::string random_alphanumeric(std::size_t count);  // [A-Za-z0-9]
std::string sha256_hex(std::string_view data);
std::string sha256_base64url(std::string_view data);  // no padding (RFC 7636 §4.2)
// HMAC-SHA-256 (RFC 2104), base64url without padding.
std::string hmac_sha256_base64url(std::string_view key, std::string_view data);
std::string base64url(std::string_view data);  // no padding
std::string base64(std::string_view data);     // padded (RFC 4648 §4)
// Nothing for what is not base64url (RFC 4648 §5); padding may be left out.
std::optional<std::string> from_base64url(std::string_view text);
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace berth
