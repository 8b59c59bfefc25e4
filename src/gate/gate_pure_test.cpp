#include "gate/cookies.hpp"
#include "gate/gate.hpp"
#include "gate/next_url.hpp"

#include <gtest/gtest.h>

namespace berth::gate {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

struct NextCase {
    const char* name;
    const char* next;
    const char* want;  // nullptr: refused
};
constexpr NextCase kNext[] = {
    {"Admin", "/hub/admin", "/hub/admin"},
    {"OtherUser", "/user/other", "/user/other"},
    {"Absolute", "/absolute", "/absolute"},
    {"QueryAndFragment", "/has?query#andhash", "/has?query#andhash"},
    {"UrlInQuery", "/has?repo=https://host.git", "/has?repo=https://host.git"},
    {"UrlInFragment", "/has#repo=https://host.git", "/has#repo=https://host.git"},
    {"Relative", "relative/path", nullptr},
    {"Https", "https://other", nullptr},
    {"Ftp", "ftp://other", nullptr},
    {"TwoSlashes", "//other", nullptr},
    {"ThreeSlashes", "///other/x", nullptr},
    {"FourSlashes", "////other/x", nullptr},
    {"Backslashes", "\\\\other/x", nullptr},
    {"SlashBackslash", "/\\other/x", "/%5Cother/x"},
    {"TabBetweenSlashes", "/\t/other", "/%09/other"},
    {"LineEnd", "/x\r\nSet-Cookie: a=b", "/x%0D%0ASet-Cookie:%20a=b"},
    {"Own", "https://hub.example:8443/x", "/x"},
    {"OwnTwoSlashes", "https://hub.example:8443//x", "/x"},
    {"OwnThreeSlashes", "https://hub.example:8443///x", "/x"},
    {"OwnFourSlashes", "https://hub.example:8443////x", "/x"},
    {"OwnWithoutScheme", "//hub.example:8443/x?y#z", "/x?y#z"},
    {"OwnThenOther", "//hub.example:8443//other.domain", "/other.domain"},
    {"OwnBackslash", "https://hub.example:8443/\\other", "/%5Cother"},
    {"OwnWrongScheme", "http://hub.example:8443/x", nullptr},
    {"OwnWrongPort", "https://hub.example/x", nullptr},
    {"OwnAsUserinfo", "https://hub.example:8443@other/x", nullptr},
    {"OwnAsPrefix", "https://hub.example:8443.other/x", nullptr},
    {"Script", "javascript:alert(1)", nullptr},
    {"Empty", "", nullptr},
    {"Unicode", "/user/\xc3\xbc", "/user/%C3%BC"},
};
class Next : public testing::TestWithParam<NextCase> {};
TEST_P(Next, IsLocalOrRefused) {
    auto got = local_next_url(GetParam().next, "https", "hub.example:8443");
    if (!GetParam().want) {
        EXPECT_EQ(got, std::nullopt) << *got;
    } else {
        EXPECT_EQ(got, GetParam().want);
    }
}
INSTANTIATE_TEST_SUITE_P(Table, Next, testing::ValuesIn(kNext), [](const auto& each) {
    return std::string(each.param.name);
});

const Secret kSecret(std::string(32, 's'));
const Timestamp kNow = *parse_rfc3339("2026-01-02T03:04:05Z");

TEST(LoginCookie, ComesBackUntilItIsTooOld) {
    const auto value = make_login_value(kSecret, "abc123", kNow);
    EXPECT_EQ(read_login_value(kSecret, value, hours(1), kNow), "abc123");
    EXPECT_EQ(read_login_value(kSecret, value, hours(1), kNow + hours(1)), "abc123");
    EXPECT_EQ(read_login_value(kSecret, value, hours(1), kNow + hours(1) + seconds(1)), std::nullopt);
    EXPECT_EQ(read_login_value(kSecret, value, hours(1), kNow - hours(1)), std::nullopt);
}

TEST(LoginCookie, AnyChangedByteIsRefused) {
    const auto value = make_login_value(kSecret, "abc123", kNow);
    for (std::size_t i = 0; i < value.size(); ++i) {
        auto changed = value;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_EQ(read_login_value(kSecret, changed, hours(1), kNow), std::nullopt) << i;
        EXPECT_EQ(read_login_value(kSecret, value.substr(0, i), hours(1), kNow), std::nullopt) << i;
    }
    EXPECT_EQ(read_login_value(Secret(std::string(32, 't')), value, hours(1), kNow), std::nullopt);
    EXPECT_EQ(read_login_value(kSecret, make_xsrf_token(kSecret, "1", "2"), hours(1), kNow), std::nullopt);
}

TEST(XsrfToken, DiffersBySessionAndByPerson) {
    const auto token = make_xsrf_token(kSecret, "s1", "ann");
    EXPECT_EQ(token, make_xsrf_token(kSecret, "s1", "ann"));
    EXPECT_NE(token, make_xsrf_token(kSecret, "s2", "ann"));
    EXPECT_NE(token, make_xsrf_token(kSecret, "s1", "bob"));
    EXPECT_NE(
        make_xsrf_token(kSecret, "", anonymous_id("10.0.0.1", "a")),
        make_xsrf_token(kSecret, "", anonymous_id("10.0.0.2", "a")));
}

std::string_view token_in(std::string_view value) {
    static http::Request request;
    request = {};
    request.headers.add("Authorization", std::string(value));
    return header_token(request);
}

TEST(HeaderToken, TakesTokenAndBearerWithOneWord) {
    EXPECT_EQ(token_in("token abc"), "abc");
    EXPECT_EQ(token_in("Bearer abc"), "abc");
    EXPECT_EQ(token_in("TOKEN   abc "), "abc");
    EXPECT_EQ(token_in("token: abc"), "");
    EXPECT_EQ(token_in("token abc def"), "");
    EXPECT_EQ(token_in("Basic abc"), "");
    EXPECT_EQ(token_in("abc"), "");
    EXPECT_EQ(token_in(""), "");
}

}  // namespace
}  // namespace berth::gate
