#include "net/impl/ticket_keys.hpp"

#include <gtest/gtest.h>

namespace berth::net {
namespace {

using namespace std::chrono_literals;

std::string_view name_of(const TicketKey& key) {
    return {reinterpret_cast<const char*>(key.name.data()), key.name.size()};
}

const TicketKeys::Clock::time_point kBegin{1000h};

TEST(TicketKeys, SealTwelveHoursAndOpenTwelveMore) {
    TicketKeys keys;
    const auto first = keys.to_seal(kBegin);
    EXPECT_EQ(name_of(keys.to_seal(kBegin + 11h)), name_of(first));
    ASSERT_TRUE(keys.to_open(name_of(first), kBegin + 11h));
    EXPECT_FALSE(keys.to_open(name_of(first), kBegin + 11h)->is_old);

    const auto second = keys.to_seal(kBegin + 12h);
    EXPECT_NE(name_of(second), name_of(first));
    EXPECT_NE(second.cipher, first.cipher);
    const auto old = keys.to_open(name_of(first), kBegin + 23h);
    ASSERT_TRUE(old);
    EXPECT_TRUE(old->is_old);
    EXPECT_EQ(old->key.mac, first.mac);
    EXPECT_FALSE(keys.to_open(name_of(first), kBegin + 24h));
    EXPECT_TRUE(keys.to_open(name_of(second), kBegin + 24h));
}

TEST(TicketKeys, EndThoughNobodyAskedMeanwhile) {
    TicketKeys keys;
    const auto first = keys.to_seal(kBegin);
    EXPECT_FALSE(keys.to_open(name_of(first), kBegin + 24h));
}

TEST(TicketKeys, OfStrangersOpenNothing) {
    TicketKeys keys, others;
    (void)keys.to_seal(kBegin);
    EXPECT_FALSE(keys.to_open(name_of(others.to_seal(kBegin)), kBegin));
    EXPECT_FALSE(keys.to_open("", kBegin));
}

}  // namespace
}  // namespace berth::net
