// No port is given twice while the one who has it may not have bound it yet.
#include "spawn/spawners/local/ports.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace berth::spawn::local {
namespace {

TEST(Ports, GivesNoneTwice) {
    Ports ports;
    int first_outgoing = 0;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_outgoing;
    std::set<std::uint16_t> seen;
    for (int i = 0; i < 3000; ++i) {  // by chance alone some would come twice
        const auto port = ports.take();
        ASSERT_TRUE(port);
        ASSERT_TRUE(seen.insert(*port).second) << *port;
        EXPECT_LT(*port, first_outgoing) << "an outgoing connection may take it";
    }
}

}  // namespace
}  // namespace berth::spawn::local
