// The example of RFC 8291, Appendix A, byte for byte, and that a signature is of the key that is shown.
#include "hub/web_push.hpp"

#include "base/json.hpp"
#include "base/random.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace berth::hub {
namespace {

std::string decoded(std::string_view text) {
    return from_base64url(text).value();
}

const std::string kPublic =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";

TEST(WebPush, EncryptsAsTheExampleOfTheStandard) {
    const auto own = PushKey::from(
        decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        decoded("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"));
    ASSERT_TRUE(own);
    const PushTarget browser{decoded(kPublic), decoded("BTBZMqHH6r4Tts7J_aSIgg")};
    const auto body = encrypt_push(
        "When I grow up, I want to be a watermelon", browser, *own, decoded("DGv6ra1nlYgDCS1FRnbzlw"));
    ASSERT_TRUE(body) << body.error().message;
    EXPECT_EQ(
        base64url(*body),
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN");
}

TEST(WebPush, TwoMessagesAreNeverAlike) {
    const PushTarget browser{decoded(kPublic), decoded("BTBZMqHH6r4Tts7J_aSIgg")};
    EXPECT_NE(*encrypt_push("x", browser), *encrypt_push("x", browser));
}

TEST(WebPush, RefusesKeysThatAreNone) {
    auto point = decoded(kPublic);
    point[40] = static_cast<char>(point[40] ^ 1);
    EXPECT_TRUE(encrypt_push("x", {point, std::string(16, 'a')}).error().is(PushErrc::bad_key));
    EXPECT_FALSE(encrypt_push("x", {"short", std::string(16, 'a')}));
    EXPECT_FALSE(encrypt_push("x", {decoded(kPublic), "short"}));
    EXPECT_FALSE(encrypt_push(std::string(4000, 'x'), {decoded(kPublic), std::string(16, 'a')}));
    EXPECT_FALSE(from_base64url("a"));
    EXPECT_FALSE(from_base64url("a+b="));
    EXPECT_EQ(from_base64url("_w=="), std::string("\xFF"));
}

TEST(WebPush, TheHubsKeyIsMadeOnceAndIsNobodyElses) {
    const auto path = (std::filesystem::temp_directory_path() / ("berth-push-" + random_hex(6))).string();
    const auto first = PushIdentity::open(path);
    ASSERT_TRUE(first) << first.error().message;
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const auto again = PushIdentity::open(path);
    ASSERT_TRUE(again);
    EXPECT_EQ(first->public_key(), again->public_key());
    EXPECT_EQ(decoded(first->public_key()).size(), 65U);
    const auto value =
        first->authorization("https://push.example", "mailto:a@b", Timestamp{std::chrono::hours(1)});
    ASSERT_TRUE(value);
    ASSERT_TRUE(value->starts_with("vapid t="));
    const auto claims =
        decoded(value->substr(value->find('.') + 1, value->rfind('.') - value->find('.') - 1));
    EXPECT_EQ(claims, R"({"aud":"https://push.example","exp":3600,"sub":"mailto:a@b"})");
    EXPECT_TRUE(value->ends_with(", k=" + first->public_key()));
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace berth::hub
