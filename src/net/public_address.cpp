#include "net/address_range.hpp"
#include "net/resolve.hpp"

#include <algorithm>
#include <vector>

namespace berth::net {
namespace {

// IANA's registries of special-purpose addresses; what maps or tunnels IPv4 is left out as a whole.
constexpr std::string_view kSpecial[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",    "::/96",
    "64:ff9b::/96",  "64:ff9b:1::/48",  "100::/64",       "2001::/23",      "2001:db8::/32",
    "2002::/16",     "fc00::/7",        "fe80::/10",      "fec0::/10",      "ff00::/8",
};

std::vector<AddressRange> special() {
    std::vector<AddressRange> ranges;
    for (const auto text : kSpecial)
        ranges.push_back(AddressRange::parse(text).value());
    return ranges;
}

}  // namespace

bool is_public_address(std::string_view address) {
    static const auto kRanges = special();
    static const auto kAny = AddressRange::parse("::/0").value();
    const auto holds = [address](const AddressRange& range) { return range.contains(address); };
    return holds(kAny) && std::none_of(kRanges.begin(), kRanges.end(), holds);
}

}  // namespace berth::net
