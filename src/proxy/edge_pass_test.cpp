#include "proxy/edge_pass.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

class EdgePassTest : public testing::Test {
protected:
    std::string cookie(std::string_view key = "user/ann", std::int64_t expires = kNow + 3600) const {
        return "berth-edge=" + passes.make(key, expires);
    }
    bool holds(std::string_view field, std::string_view key = "user/ann") const {
        return passes.holds(field, key, kNow);
    }
    EdgePasses passes{Secret("control token")};
};

TEST_F(EdgePassTest, HoldsForItsPrefixUntilItExpires) {
    EXPECT_TRUE(holds(cookie()));
    EXPECT_TRUE(holds("a=b; " + cookie() + "; c=d"));
    EXPECT_TRUE(holds(cookie("user/ann/gpu") + "; " + cookie())) << "of nested paths the browser sends both";
    EXPECT_FALSE(passes.holds(cookie(), "user/ann", kNow + 3600));
}

TEST_F(EdgePassTest, OpensNoOtherPrefix) {
    for (const auto* key : {"user/bob", "user/ann/gpu", "user/an", "user", ""})
        EXPECT_FALSE(holds(cookie(), key)) << key;
    EXPECT_FALSE(holds(cookie("user/ann/gpu")));
}

TEST_F(EdgePassTest, CannotBeForgedProlongedOrTakenFromAnotherHub) {
    const auto genuine = cookie();
    for (std::size_t i = std::string_view("berth-edge=").size(); i < genuine.size(); ++i) {
        auto changed = genuine;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(holds(changed)) << changed;
        EXPECT_FALSE(holds(genuine.substr(0, i))) << i;
    }
    const EdgePasses other(Secret("another token"));
    EXPECT_FALSE(holds("berth-edge=" + other.make("user/ann", kNow + 60)));
    EXPECT_FALSE(holds(cookie("user/ann", kNow + kLongestPassSeconds + 1)));
    EXPECT_FALSE(holds(cookie("user/ann", -1)));
    EXPECT_FALSE(holds("xberth-edge=" + passes.make("user/ann", kNow + 60)));
}

TEST_F(EdgePassTest, WithoutATokenNothingIsAPass) {
    const EdgePasses none{Secret()};
    EXPECT_FALSE(none.holds("berth-edge=" + none.make("user/ann", kNow + 60), "user/ann", kNow));
}

TEST_F(EdgePassTest, TakesPassesOutOfACookieFieldAndNothingElse) {
    EXPECT_FALSE(without_passes("a=b; c=d;e"));
    EXPECT_FALSE(without_passes("a=berth-edge; my-berth-edge=2; berth-edges=3"));
    EXPECT_EQ(without_passes("berth-edge=1.2"), "");
    EXPECT_EQ(
        without_passes("a=\"b c\"; berth-edge=1.2;berth-edge=3; d=e==; berth-edge"), "a=\"b c\"; d=e==");
}

}  // namespace
}  // namespace berth::proxy
