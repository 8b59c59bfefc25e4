// Browser sessions: seen by their user, and ended one by one or all at once.
#include "api/test_api.hpp"

#include <gtest/gtest.h>

namespace berth::api {
namespace {

using http::Method;
using test::Browser;
using test::TestApi;

constexpr const char* kSessions = "/hub/api/berth/users/ann/sessions";

bool is_in(TestApi& hub, const Browser& browser) {
    return hub.get(browser, "/hub/home").status == 200;
}

json::array sessions_seen_by(TestApi& hub, const Browser& browser) {
    const auto answer = hub.get(browser, kSessions);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    return test::body_of(answer).at("sessions").as_array();
}

// With the XSRF token of its page, as the page's script sends it.
http::Response remove(TestApi& hub, const Browser& browser, const std::string& path) {
    Browser sender = browser;
    sender.keep(
        hub.ask(Method::get, "/hub/home", {{"Cookie", browser.header()}, {"Sec-Fetch-Mode", "navigate"}}));
    return hub.ask(
        Method::del, path, {{"Cookie", sender.header()}, {"X-XSRFToken", sender.cookies["_xsrf"]}});
}

TEST(Sessions, AreShownToTheirUserAndToNobodyElse) {
    TestApi hub;
    hub.open_all();
    const auto first = hub.signed_in("ann");
    const auto second = hub.signed_in("ann");
    const auto bob = hub.signed_in("bob");
    const auto seen = sessions_seen_by(hub, second);
    ASSERT_EQ(seen.size(), 2U);
    int current = 0;
    for (const auto& session : seen) {
        current += session.at("current").as_bool() ? 1 : 0;
        EXPECT_EQ(session.at("client_address").as_string(), "127.0.0.1");
        EXPECT_EQ(session.at("id").as_string().size(), 16U);
    }
    EXPECT_EQ(current, 1);
    EXPECT_NE(hub.get(bob, kSessions).status, 200U);
    EXPECT_NE(remove(hub, bob, kSessions).status, 204U);
    EXPECT_TRUE(is_in(hub, first) && is_in(hub, second));
}

TEST(Sessions, EndingOneSignsThatBrowserOutAndNoOther) {
    TestApi hub;
    hub.open_all();
    const auto lost = hub.signed_in("ann");
    const auto kept = hub.signed_in("ann");
    const auto bob = hub.signed_in("bob");
    std::string id;
    for (const auto& session : sessions_seen_by(hub, kept))
        if (!session.at("current").as_bool()) id = session.at("id").as_string();
    EXPECT_EQ(remove(hub, kept, std::string(kSessions) + "/" + id).status, 204U);
    EXPECT_FALSE(is_in(hub, lost));
    EXPECT_TRUE(is_in(hub, kept));
    EXPECT_TRUE(is_in(hub, bob));
    EXPECT_EQ(remove(hub, kept, std::string(kSessions) + "/" + id).status, 404U);
}

TEST(Sessions, SignOutEverywhereEndsAllOfThatUser) {
    TestApi hub;
    hub.open_all();
    const auto first = hub.signed_in("ann");
    const auto second = hub.signed_in("ann");
    const auto bob = hub.signed_in("bob");
    const auto token = hub.token_of("ann");
    EXPECT_EQ(remove(hub, second, kSessions).status, 204U);
    EXPECT_FALSE(is_in(hub, first) || is_in(hub, second));
    EXPECT_TRUE(is_in(hub, bob));
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/user").status, 200U);  // it is no browser
}

// A login cookie is worth nothing beside another user's session.
TEST(Sessions, ALoginCookieNeedsTheSessionItCameWith) {
    TestApi hub;
    hub.open_all();
    auto ann = hub.signed_in("ann");
    const auto bob = hub.signed_in("bob");
    ann.cookies["jupyterhub-session-id"] = bob.cookies.at("jupyterhub-session-id");
    EXPECT_FALSE(is_in(hub, ann));
}

}  // namespace
}  // namespace berth::api
