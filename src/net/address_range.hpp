// A numeric address or a network, as administrators write it: "10.0.0.7", "10.0.0.0/8", "2001:db8::/32".
// Pure.
#pragma once

#include "base/result.hpp"

#include <array>
#include <string_view>

namespace berth::net {

class AddressRange {
public:
    // Error: NetErrc::malformed_address.
    static Result<AddressRange> parse(std::string_view text);
    // False for what is no numeric address. An IPv4 address is the same as its IPv4-mapped IPv6 form.
    bool contains(std::string_view address) const;

private:
    using Bytes = std::array<unsigned char, 16>;  // IPv4 as ::ffff:a.b.c.d
    Bytes network_{};
    unsigned bits_ = 128;  // that must be equal
};

}  // namespace berth::net
