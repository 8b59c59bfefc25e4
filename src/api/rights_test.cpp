// Nobody gets more than they hold: by making services, users, tokens or links, or by staying after a
// sign-out.
#include "api/test_api.hpp"
#include "base/text.hpp"

#include <gtest/gtest.h>

namespace berth::api::test {
namespace {

using http::Method;

// ann may do these things to everybody, and is no administrator.
config::Options with_manager(std::vector<std::string> scopes) {
    auto options = dummy_options();
    config::RoleOptions role;
    role.name = "manager";
    role.scopes = std::move(scopes);
    role.users = {"ann"};
    options.roles.push_back(role);
    return options;
}

std::string service_body(const std::string& members) {
    return R"({"api_token": "secret-of-new", "oauth_redirect_uri": "/callback", )" + members + "}";
}

TEST(Rights, AServiceCannotMakeAClientThatActsForItsVisitors) {
    TestApi hub(with_manager({"admin:services", "read:users:name"}));
    hub.open_all();
    const auto token = hub.token_of("ann");
    for (const std::string scopes : {R"(["inherit"])", R"(["self"])", R"(["admin:users!user"])"}) {
        const auto body = service_body(R"("oauth_client_allowed_scopes": )" + scopes);
        EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/services/new", body).status, 400U) << scopes;
    }
    EXPECT_EQ(
        hub.with_token(
               token, Method::post, "/hub/api/services/new", service_body(R"("oauth_no_confirm": true)"))
            .status,
        403U);
    EXPECT_EQ(
        hub.with_token(
               token,
               Method::post,
               "/hub/api/services/new",
               service_body(R"("oauth_client_allowed_scopes": ["read:users:name!user"])"))
            .status,
        201U);
    EXPECT_EQ(
        hub.with_token(
               hub.admin_token(),
               Method::post,
               "/hub/api/services/other",
               R"({"api_token": "secret-of-other", "oauth_redirect_uri": "/c",
                   "oauth_client_allowed_scopes": ["inherit"], "oauth_no_confirm": true})")
            .status,
        201U);
}

TEST(Rights, WhoIsNoAdministratorCannotBecomeOneByAName) {
    TestApi hub(with_manager({"admin:users"}));
    hub.open_all();
    const auto token = hub.token_of("ann");
    const auto root = hub.admin_token();
    EXPECT_EQ(
        hub.with_token(token, Method::patch, "/hub/api/users/root", R"({"name": "gone"})").status, 403U);
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/users/root").status, 204U);
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/users/root").status, 403U);
    EXPECT_EQ(
        hub.with_token(token, Method::post, "/hub/api/users", R"({"usernames": ["eve", "root"]})").status,
        403U);
    EXPECT_EQ(hub.with_token(token, Method::patch, "/hub/api/users/bob", R"({"name": "root"})").status, 403U);
    EXPECT_EQ(hub.with_token(token, Method::patch, "/hub/api/users/bob", R"({"name": "eve"})").status, 200U);
}

TEST(Rights, ALinkThatSetsAPasswordNeedsTheRightsItGives) {
    TestApi hub(with_manager({"admin:users"}));
    hub.open_all();
    const auto few = hub.token_of("ann");
    EXPECT_EQ(hub.with_token(few, Method::post, "/hub/api/berth/users/bob/invite").status, 403U);
    EXPECT_EQ(
        hub.with_token(hub.admin_token(), Method::post, "/hub/api/berth/users/bob/invite").status, 201U);
}

TEST(Rights, ATokenOfNoScopesMayNothing) {
    TestApi hub;
    hub.open_all();
    const auto made = hub.with_token(
        hub.token_of("ann"), Method::post, "/hub/api/users/ann/tokens", R"({"scopes": [], "note": "bare"})");
    ASSERT_EQ(made.status, 201U) << made.body;
    const auto model = parse_json(made.body)->as_object();
    for (const auto& scope : model.at("scopes").as_array())  // who it is, it may always say
        EXPECT_TRUE(scope.as_string().starts_with("read:users:")) << made.body;
    const auto bare = std::string(model.at("token").as_string());
    EXPECT_EQ(hub.with_token(bare, Method::post, "/hub/api/users/ann/server").status, 403U);
    EXPECT_EQ(
        hub.with_token(hub.token_of("ann"), Method::post, "/hub/api/users/bob/tokens", "{}").status, 403U);
}

TEST(Rights, SigningInAgainEndsTheSessionBefore) {
    TestApi hub;
    hub.open_all();
    auto browser = hub.signed_in("ann");
    const auto before = browser.cookies.at("jupyterhub-session-id");
    ASSERT_NE(hub.directory->find_session(before), nullptr);
    browser.keep(hub.get(browser, "/hub/login"));
    const auto again =
        hub.post_form(browser, "/hub/login", "username=ann%20&password=pw&_xsrf=" + browser.cookies["_xsrf"]);
    ASSERT_EQ(again.status, 302U) << again.body;
    EXPECT_EQ(hub.directory->find_session(before), nullptr);
}

TEST(Rights, ABlockedUsersLinkDoesNotLetThemIn) {
    auto options = dummy_options();
    options.authentication.blocked_users = {"bob"};
    TestApi hub(options);
    hub.open_all();
    const auto bob = hub.directory->find(UserName("bob"))->id();
    const auto token = hub.run(hub.directory->create_invite(bob, now_utc(), std::chrono::hours(1)));
    const std::string path = "/hub/invite?token=" + token->reveal();
    Browser browser;
    browser.keep(hub.get(browser, path));
    const auto refused = hub.post_form(
        browser, path, "password=longenough&password_repeat=longenough&_xsrf=" + browser.cookies["_xsrf"]);
    EXPECT_EQ(refused.status, 403U) << refused.body;
}

TEST(Rights, WhatIsNoTextDoesNotBreakOthersLists) {
    TestApi hub;
    hub.open_all();
    const auto browser = hub.signed_in("ann");
    (void)hub.get(browser, "/hub/spawn?profile=%FFgpu&%FE=1");
    const auto list =
        hub.with_token(hub.admin_token(), Method::get, "/hub/api/users?include_stopped_servers=1");
    ASSERT_EQ(list.status, 200U);
    EXPECT_TRUE(is_valid_utf8(list.body));
}

TEST(Rights, TheServerUrlIsKnownBelowAnyBasePath) {
    auto options = dummy_options();
    options.bind_url = "http://127.0.0.1:8000/jupyterhub/";
    TestApi hub(options);
    hub.open_all();
    const auto answer = hub.ask(
        Method::get,
        "/jupyterhub/hub/user/ann/lab/tree/a%20b",
        {{"Authorization", "token " + hub.token_of("ann")}, {"Accept", "application/json"}});
    EXPECT_EQ(answer.status, 424U);
    EXPECT_NE(answer.body.find("so /jupyterhub/user/ann/lab/tree/a%20b cannot"), std::string::npos)
        << answer.body;
}

}  // namespace
}  // namespace berth::api::test
