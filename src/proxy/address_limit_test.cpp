#include "proxy/address_limit.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

TEST(AddressLimit, RefusesWhatIsBeyondItUntilOneHasEnded) {
    AddressLimit limit(2);
    auto first = limit.take("192.0.2.1");
    const auto second = limit.take("192.0.2.1");
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(limit.take("192.0.2.1"));
    EXPECT_TRUE(limit.take("192.0.2.2"));
    first.reset();
    EXPECT_TRUE(limit.take("192.0.2.1"));
}

TEST(AddressLimit, TakesANetworkOfIpv6ForOneClient) {
    AddressLimit limit(1);
    const auto held = limit.take("2001:db8::1");
    EXPECT_FALSE(limit.take("2001:db8::ffff:2"));
    EXPECT_TRUE(limit.take("2001:db8:0:1::1"));
}

TEST(AddressLimit, CountsNeitherUnixSocketsNorAnythingWhenOff) {
    AddressLimit limit(1);
    EXPECT_TRUE(limit.take(""));
    const auto held = limit.take("");
    EXPECT_TRUE(limit.take(""));
    AddressLimit off(0);
    const auto one = off.take("192.0.2.1");
    EXPECT_TRUE(off.take("192.0.2.1"));
}

}  // namespace
}  // namespace berth::proxy
