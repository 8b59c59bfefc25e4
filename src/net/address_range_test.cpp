#include "net/address_range.hpp"

#include <gtest/gtest.h>

namespace berth::net {
namespace {

struct RangeCase {
    std::string_view range, address;
    bool inside;
};

TEST(AddressRange, HoldsWhatItsBitsSay) {
    constexpr RangeCase kCases[] = {
        {"10.0.0.7", "10.0.0.7", true},
        {"10.0.0.7", "10.0.0.8", false},
        {"10.0.0.7", "::ffff:10.0.0.7", true},
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"192.168.16.0/20", "192.168.31.255", true},
        {"192.168.16.0/20", "192.168.32.0", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/32", "2001:db8:1::9", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/32", "no address", false},
    };
    for (const auto& each : kCases) {
        SCOPED_TRACE(std::string(each.range) + " " + std::string(each.address));
        EXPECT_EQ(AddressRange::parse(each.range).value().contains(each.address), each.inside);
    }
}

TEST(AddressRange, RefusesWhatIsNone) {
    for (const std::string_view text :
         {"", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", "10.0/8"})
        EXPECT_FALSE(AddressRange::parse(text)) << text;
}

}  // namespace
}  // namespace berth::net
