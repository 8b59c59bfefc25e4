#include "net/address_range.hpp"

#include "net/listener.hpp"

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <optional>

namespace berth::net {
namespace {

struct Parsed {
    std::array<unsigned char, 16> bytes{};
    bool is_v4 = false;
};

std::optional<Parsed> parse_address(std::string_view text) {
    boost::system::error_code failure;
    const auto address = asio::ip::make_address(std::string(text), failure);
    if (failure) return std::nullopt;
    Parsed parsed;
    parsed.is_v4 = address.is_v4();
    parsed.bytes = parsed.is_v4 ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes()
                                : address.to_v6().to_bytes();
    return parsed;
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
    const Error malformed{
        NetErrc::malformed_address,
        "'" + std::string(text) + "' is neither an address like 10.0.0.7 nor a network like 10.0.0.0/8."};
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return malformed;
    AddressRange range;
    range.network_ = address->bytes;
    if (slash == std::string_view::npos) return range;
    const auto length = text.substr(slash + 1);
    const unsigned longest = address->is_v4 ? 32 : 128;
    unsigned bits = 0;
    const auto [end, failure] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (length.empty() || failure != std::errc{} || end != length.data() + length.size() || bits > longest)
        return malformed;
    range.bits_ = bits + (128 - longest);
    return range;
}

bool AddressRange::contains(std::string_view address) const {
    const auto parsed = parse_address(address);
    if (!parsed) return false;
    for (unsigned bit = 0; bit < bits_; bit += 8) {
        const unsigned left = bits_ - bit;
        const unsigned mask = left >= 8 ? 0xFFU : 0xFFU << (8 - left);
        if (((network_[bit / 8] ^ parsed->bytes[bit / 8]) & mask & 0xFFU) != 0) return false;
    }
    return true;
}

}  // namespace berth::net
