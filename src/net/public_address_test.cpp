// Which addresses a hub may be sent to by somebody it does not know.
#include "net/resolve.hpp"

#include <gtest/gtest.h>

namespace berth::net {
namespace {

TEST(PublicAddress, IsNoneOfOurOwn) {
    for (const auto* good : {"8.8.8.8", "193.99.144.80", "2600:1901:0:38d7::", "2a00:1450:4001::200e"})
        EXPECT_TRUE(is_public_address(good)) << good;
    for (const auto* bad :
         {"127.0.0.1",
          "127.9.9.9",
          "0.0.0.0",
          "10.1.2.3",
          "172.31.0.1",
          "192.168.1.1",
          "169.254.169.254",
          "100.64.0.1",
          "224.0.0.1",
          "255.255.255.255",
          "::1",
          "::",
          "::ffff:10.0.0.1",
          "fe80::1",
          "fd00::1",
          "64:ff9b::10.0.0.1",
          "2002:7f00:1::",
          "ff02::1",
          "no address",
          ""})
        EXPECT_FALSE(is_public_address(bad)) << bad;
}

}  // namespace
}  // namespace berth::net
