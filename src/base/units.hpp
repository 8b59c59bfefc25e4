// Quantities that carry their unit in the type, and the texts people write for them.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

struct Bytes {
    std::uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
};

// "512M", "8G", "1.5 GiB", "1048576": JupyterHub's ByteSpecification (powers of 1024). Empty when it is none.
std::optional<Bytes> parse_bytes(std::string_view text);
std::string format_bytes(Bytes bytes);  // "8 GiB", "1.5 GiB", "640 B"

// UTC with microseconds: what the store keeps and JSON shows.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

Timestamp now_utc();
// RFC 3339 with 'Z'; microseconds left out when zero (hub-protocol §11.5).
std::string format_rfc3339(Timestamp time);
// RFC 3339 or ISO 8601 with 'T' or space, optional fraction and zone; without a zone it is UTC.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

// "250ms", "30s", "5m", "2h", "1d" or a plain number of seconds.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace berth
