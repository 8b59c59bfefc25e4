#include "identity/names.hpp"

#include <gtest/gtest.h>

namespace berth::identity {
namespace {

TEST(Names, UserNamesAreNormalisedFirst) {
    for (const auto& [typed, kept] : std::vector<std::pair<std::string, std::string>>{
             {"Ann", "ann"},
             {"ÄNN", "änn"},
             {"ΑΝΝΑ", "αννα"},
             {"秀樹", "秀樹"},
             {"~TestJH", "~testjh"},
             {"Has@Uni.Edu", "has@uni.edu"},
             {"50fia", "50fia"},
             {"a b", "a b"},
             {"%2e.a", "%2e.a"},
             {std::string(200, 'X'), std::string(200, 'x')}}) {
        const auto name = user_name(typed);
        ASSERT_TRUE(name) << typed << ": " << name.error().message;
        EXPECT_EQ(name->value, kept);
    }
}

struct Refused {
    std::string name;
    NameErrc want;
};

TEST(Names, RefusesWhatReachesOtherPathsOrCannotBeTyped) {
    for (const auto& each : std::vector<Refused>{
             {"", NameErrc::empty},
             {std::string(256, 'a'), NameErrc::too_long},
             {"a\xff", NameErrc::not_utf8},
             {"a/b", NameErrc::slash},
             {"../x", NameErrc::slash},
             {" ann", NameErrc::surrounding_space},
             {"ann\t", NameErrc::surrounding_space},
             {"ann\u00a0", NameErrc::surrounding_space},
             {"a\nb", NameErrc::control_character},
             {std::string("a\0b", 3), NameErrc::control_character},
             {"a\u202eb", NameErrc::control_character},
             {"a\u200bb", NameErrc::control_character},
             {".", NameErrc::dots_only},
             {"..", NameErrc::dots_only},
             {"%2e", NameErrc::dots_only},
             {"%2E.%2e", NameErrc::dots_only}}) {
        const auto name = user_name(each.name);
        ASSERT_FALSE(name) << each.name;
        EXPECT_TRUE(name.error().is(each.want)) << each.name << ": " << name.error().message;
    }
}

TEST(Names, ServiceNamesHaveNoEscapes) {
    EXPECT_TRUE(service_name("idle-culler"));
    EXPECT_TRUE(service_name("100%"));
    EXPECT_TRUE(service_name("a%41").error().is(NameErrc::percent_escape));
}

TEST(Names, ServerNamesFollowTheRulesOfSix) {
    for (const auto* good : {"", "a", "gpu", "my-server-2", "a23456789012345678901234567890"})
        EXPECT_TRUE(server_name(good)) << good;
    for (const auto* bad :
         {"1a", "-a", "a-", "a--b", "A", "a_b", "ä", "a b", "a2345678901234567890123456789012"})
        EXPECT_FALSE(server_name(bad)) << bad;
    EXPECT_EQ(server_name("a/b c").error().message, "Invalid server_name: a/b%20c");
}

TEST(Names, DisplayNames) {
    for (const auto* good : {"x", "My GPU server", "Größe: 2×H100 🚀", "秀樹"})
        EXPECT_TRUE(display_name(good)) << good;
    for (const auto& bad : std::vector<std::string>{
             "", " a", "a ", "a  b", "a\tb", "a\nb", "a\u200bb", "a\u00a0b", std::string(256, 'a')})
        EXPECT_FALSE(display_name(bad)) << bad;
    EXPECT_TRUE(display_name(std::string(255, 'a')));
}

TEST(Names, SlugsOfDisplayNames) {
    EXPECT_EQ(slug_of("My GPU server"), "my-gpu-server");
    EXPECT_EQ(slug_of("Größe é"), "gro-e-e");
    EXPECT_EQ(slug_of("2 x H100"), "x-2-x-h100");
    EXPECT_EQ(slug_of("--a--"), "a");
    EXPECT_EQ(slug_of("e\u0301a"), "ea");
    EXPECT_EQ(slug_of("秀樹"), "");
    EXPECT_EQ(slug_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbb"), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    EXPECT_TRUE(server_name(slug_of("Ünïcode & Co. (new)")));
}

TEST(Names, LogsCarryShortNames) {
    EXPECT_EQ(for_log("ann"), "ann");
    EXPECT_EQ(for_log(std::string(33, 'a')), std::string(32, 'a').append("…"));
    EXPECT_EQ(for_log("\xff"), "(not UTF-8)");
}

}  // namespace
}  // namespace berth::identity
