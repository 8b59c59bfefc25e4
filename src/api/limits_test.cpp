// What one account or address may ask of the hub, and how long a token may live.
#include "api/test_api.hpp"

#include <gtest/gtest.h>

namespace berth::api {
namespace {

using http::Method;
using test::body_of;
using test::TestApi;

config::Options limited(std::uint32_t burst) {
    auto options = test::dummy_options();
    options.rate_limit.requests_per_second = 1;
    options.rate_limit.burst = burst;
    return options;
}

unsigned refused_of(TestApi& hub, const std::string& token, int tries) {
    unsigned refused = 0;
    for (int i = 0; i < tries; ++i)
        refused += hub.with_token(token, Method::get, "/hub/api/user").status == 429 ? 1 : 0;
    return refused;
}

TEST(RateLimits, HoldOneAccountWithoutTouchingAnother) {
    TestApi hub(limited(20));
    hub.open_all();
    const auto ann = hub.token_of("ann");
    EXPECT_GE(refused_of(hub, ann, 40), 15U);
    const auto answer = hub.with_token(hub.token_of("ann"), Method::get, "/hub/api/user");
    EXPECT_EQ(answer.status, 429U) << "another token of the same account";
    EXPECT_EQ(answer.headers.find("Retry-After"), "1");
    EXPECT_EQ(refused_of(hub, hub.token_of("bob"), 10), 0U);
    EXPECT_EQ(refused_of(hub, "0123456789abcdef", 200), 0U) << "services are not counted";
}

TEST(RateLimits, HoldAnAddressThatHasNoAccount) {
    TestApi hub(limited(20));
    hub.open_all();
    unsigned refused = 0;
    for (int i = 0; i < 40; ++i)
        refused += hub.with_token("guess" + std::to_string(i), Method::get, "/hub/api/user").status == 429;
    EXPECT_GE(refused, 15U);
    EXPECT_EQ(hub.ask(Method::post, "/hub/login").status, 429U);
    EXPECT_EQ(hub.ask(Method::get, "/hub/login").status, 200U) << "what anybody may see is not counted";
    EXPECT_EQ(hub.with_token(hub.token_of("ann"), Method::get, "/hub/api/user").status, 200U);
}

TEST(RateLimits, HoldOneAddressWithoutTouchingAnother) {
    TestApi hub(limited(20));
    hub.open_all();
    auto refused_from = [&hub](const char* address, int tries) {
        unsigned refused = 0;
        for (int i = 0; i < tries; ++i) {
            http::Request request;
            request.target = "/hub/api/user";
            request.headers = {{"Host", "hub.example"}};
            request.peer_address = address;
            refused += hub.send(std::move(request)).status == 429 ? 1 : 0;
        }
        return refused;
    };
    EXPECT_GE(refused_from("192.0.2.1", 40), 15U);
    EXPECT_EQ(refused_from("192.0.2.2", 10), 0U) << "who guesses must not keep others out";
}

json::value made_token(TestApi& hub, const std::string& owner_token, const std::string& body) {
    const auto answer = hub.with_token(owner_token, Method::post, "/hub/api/users/ann/tokens", body);
    EXPECT_EQ(answer.status, 201U) << answer.body;
    return body_of(answer);
}

TEST(TokenLife, HasTheMaximumThatIsConfigured) {
    auto options = test::dummy_options();
    options.authentication.token_max_age = std::chrono::seconds(3600);
    TestApi hub(options);
    hub.open_all();
    const auto own = hub.token_of("ann");
    for (const char* body : {"{}", R"({"expires_in":null})", R"({"expires_in":3600})"}) {
        const auto expires = parse_rfc3339(made_token(hub, own, body).at("expires_at").as_string());
        ASSERT_TRUE(expires) << body;
        EXPECT_NEAR(std::chrono::duration<double>(*expires - now_utc()).count(), 3600, 60) << body;
    }
    for (const char* body : {R"({"expires_in":3601})", R"({"expires_in":0})", R"({"expires_in":-1})"})
        EXPECT_EQ(hub.with_token(own, Method::post, "/hub/api/users/ann/tokens", body).status, 400U) << body;
}

TEST(TokenLife, IsEndlessOnlyWhereNothingIsConfigured) {
    TestApi hub;
    hub.open_all();
    EXPECT_TRUE(made_token(hub, hub.token_of("ann"), "{}").at("expires_at").is_null());
}

TEST(TokenLife, EndsTheTokenAtOnce) {
    TestApi hub;
    hub.open_all();
    const auto token =
        std::string(made_token(hub, hub.token_of("ann"), R"({"expires_in":1})").at("token").as_string());
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/user").status, 200U);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/user").status, 403U);
}

}  // namespace
}  // namespace berth::api
