#include "api/test_api.hpp"
#include "base/text.hpp"

namespace berth::api {
namespace {

using http::Method;
using test::Browser;
using test::TestApi;

std::string location(const http::Response& response) {
    return std::string(response.headers.find("Location").value_or(""));
}

TEST(Pages, SigningInSetsExactlyThreeCookiesAndLeadsOn) {
    TestApi hub;
    hub.open_all();
    Browser browser;
    browser.keep(hub.get(browser, "/hub/login?next=%2Fhub%2Ftoken"));
    EXPECT_EQ(browser.cookies.size(), 1U);
    auto answer = hub.post_form(
        browser,
        "/hub/login?next=%2Fhub%2Ftoken",
        "username=ann&password=pw&_xsrf=" + browser.cookies["_xsrf"]);
    ASSERT_EQ(answer.status, 302U) << answer.body;
    EXPECT_EQ(location(answer), "/hub/token");
    browser.keep(answer);
    std::set<std::string> names;
    for (const auto& [name, value] : browser.cookies)
        names.insert(name);
    EXPECT_EQ(names, (std::set<std::string>{"_xsrf", "jupyterhub-hub-login", "jupyterhub-session-id"}));
    EXPECT_EQ(hub.get(browser, "/hub/token").status, 200U);
    EXPECT_EQ(location(hub.get(browser, "/hub/login")), "/hub/spawn");
    EXPECT_EQ(location(hub.get(browser, "/hub/?a=5")), "/hub/spawn?a=5");
}

TEST(Pages, WrongPasswordsAndForgedFormsAreRefused) {
    TestApi hub;
    hub.open_all();
    Browser browser;
    EXPECT_EQ(hub.post_form(browser, "/hub/login", "username=ann&password=pw").status, 403U);
    browser.keep(hub.get(browser, "/hub/login"));
    const auto xsrf = browser.cookies["_xsrf"];
    const auto forged = hub.post_form(Browser{}, "/hub/login", "username=ann&password=pw&_xsrf=" + xsrf);
    EXPECT_EQ(forged.status, 403U);
    EXPECT_NE(forged.body.find("Login form invalid or expired. Try again."), std::string::npos);
    const auto wrong = hub.post_form(browser, "/hub/login", "username=ann&password=no&_xsrf=" + xsrf);
    EXPECT_EQ(wrong.status, 403U);
    EXPECT_NE(wrong.body.find("Invalid username or password"), std::string::npos);
    EXPECT_TRUE(wrong.headers.all("Set-Cookie").size() <= 1U);
}

TEST(Pages, NextNeverLeadsElsewhere) {
    TestApi hub;
    hub.open_all();
    for (const char* next :
         {"https://evil.example/",
          "//evil.example",
          "\\\\evil.example",
          "///evil.example/x",
          "http://hub.example//evil.example"}) {
        SCOPED_TRACE(next);
        Browser browser;
        browser.keep(hub.get(browser, "/hub/login"));
        const auto target = "/hub/login?next=" + url_escape_query(next);
        const auto answer =
            hub.post_form(browser, target, "username=ann&password=pw&_xsrf=" + browser.cookies["_xsrf"]);
        ASSERT_EQ(answer.status, 302U);
        EXPECT_TRUE(location(answer) == "/hub/spawn" || location(answer) == "/evil.example")
            << location(answer);
    }
}

TEST(Pages, CookiesThatLieAreClearedAndNobodyIsSignedIn) {
    TestApi hub;
    hub.open_all();
    auto browser = hub.signed_in("ann");
    auto forged = browser;
    forged.cookies["jupyterhub-hub-login"].back() ^= 1;
    const auto answer = hub.get(forged, "/hub/home");
    EXPECT_EQ(answer.status, 302U);
    EXPECT_TRUE(location(answer).starts_with("/hub/login?next=%2Fhub%2Fhome"));
    forged.keep(answer);
    EXPECT_FALSE(forged.cookies.contains("jupyterhub-hub-login"));
    auto without_session = browser;
    without_session.cookies.erase("jupyterhub-session-id");
    const auto refused = hub.get(without_session, "/hub/home");
    EXPECT_EQ(refused.status, 302U);
    EXPECT_TRUE(location(refused).starts_with("/hub/login"));
    without_session.keep(refused);
    EXPECT_FALSE(without_session.cookies.contains("jupyterhub-hub-login"));
}

TEST(Pages, TokensAreNoWayIntoPages) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("ann");
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/home").status, 302U);
    EXPECT_EQ(hub.ask(Method::get, "/hub/home?token=" + token).status, 302U);
    EXPECT_EQ(hub.ask(Method::get, "/hub/api/user?token=" + token).status, 403U);
}

TEST(Pages, XsrfGuardsWhatCookiesAuthenticate) {
    TestApi hub;
    hub.open_all();
    const auto browser = hub.signed_in("ann");
    const auto cookie = browser.header();
    const auto xsrf = browser.cookies.at("_xsrf");
    const auto post = [&](http::Headers headers, const std::string& query = "") {
        headers.add("Cookie", cookie);
        return hub.ask(Method::post, "/hub/api/users/ann/tokens" + query, std::move(headers), "{}");
    };
    const auto missing = post({});
    EXPECT_EQ(missing.status, 403U);
    EXPECT_EQ(missing.body, R"({"status":403,"message":"'_xsrf' argument missing from POST"})");
    EXPECT_EQ(
        post({{"X-Xsrftoken", "x"}}).body,
        R"({"status":403,"message":"XSRF cookie does not match POST argument"})");
    EXPECT_EQ(post({{"X-Xsrftoken", xsrf}}).status, 201U);
    EXPECT_EQ(post({{"X-Csrftoken", xsrf}}).status, 201U);
    EXPECT_EQ(post({}, "?_xsrf=" + xsrf).status, 201U);
    EXPECT_EQ(post({{"Sec-Fetch-Mode", "no-cors"}}).status, 403U);
    EXPECT_EQ(post({{"X-Xsrftoken", xsrf}, {"Content-Type", "text/plain"}}).status, 403U);
    const auto get = [&](http::Headers headers) {
        headers.add("Cookie", cookie);
        return hub.ask(Method::get, "/hub/api/user", std::move(headers)).status;
    };
    EXPECT_EQ(get({}), 200U);
    EXPECT_EQ(get({{"Sec-Fetch-Mode", "cors"}}), 403U);
    EXPECT_EQ(get({{"Sec-Fetch-Mode", "cors"}, {"X-Xsrftoken", xsrf}}), 200U);
    EXPECT_EQ(get({{"Sec-Fetch-Mode", "no-cors"}}), 403U);
    EXPECT_EQ(get({{"Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Site", "same-origin"}}), 200U);
    EXPECT_EQ(
        hub.ask(Method::get, "/hub/api/user", {{"Origin", "https://evil"}, {"Sec-Fetch-Mode", "cors"}}).body,
        R"({"status":403,"message":"'_xsrf' argument missing from GET"})");
}

TEST(Pages, SigningOutEndsTheSessionAndItsTokens) {
    TestApi hub;
    hub.open_all();
    auto browser = hub.signed_in("ann");
    const auto session = browser.cookies.at("jupyterhub-session-id");
    // Somebody who knows only the session id ends nothing.
    Browser thief;
    thief.cookies["jupyterhub-session-id"] = session;
    EXPECT_EQ(hub.get(thief, "/hub/logout").status, 302U);
    EXPECT_NE(hub.directory->find_session(session), nullptr);
    const auto answer = hub.get(browser, "/hub/logout");
    EXPECT_EQ(location(answer), "/hub/login");
    browser.keep(answer);
    EXPECT_TRUE(browser.cookies.empty());
    EXPECT_EQ(hub.directory->find_session(session), nullptr);
}

TEST(Pages, AStoppedServerAnswers424) {
    TestApi hub;
    hub.open_all();
    const auto ann = hub.signed_in("ann");
    const auto poll = hub.get(ann, "/hub/user/ann/api/kernels?17");
    EXPECT_EQ(poll.status, 424U);
    const std::string message(test::body_of(poll).at("message").as_string());
    EXPECT_NE(message.find("/user/ann/api/kernels"), std::string::npos);
    EXPECT_NE(message.find("http://hub.example/hub/spawn/ann"), std::string::npos);
    const auto page = hub.get(ann, "/hub/user/ann/lab");
    EXPECT_EQ(page.status, 424U);
    EXPECT_NE(page.body.find("/hub/spawn/ann?next=%2Fuser%2Fann%2Flab"), std::string::npos);
    EXPECT_EQ(hub.get(hub.signed_in("bob"), "/hub/user/ann/lab").status, 404U);
    EXPECT_EQ(hub.get(ann, "/hub/user/nobody/lab").status, 404U);
    EXPECT_EQ(location(hub.get(Browser{}, "/hub/user/ann/lab")), "/hub/login?next=%2Fhub%2Fuser%2Fann%2Flab");
    EXPECT_EQ(hub.with_token(hub.token_of("ann"), Method::get, "/hub/user/ann/api").status, 424U);
    EXPECT_EQ(hub.with_token(hub.token_of("ann"), Method::post, "/hub/user/ann/api/x").status, 424U);
    EXPECT_EQ(hub.ask(Method::post, "/hub/user/ann/api/x").status, 403U);
    EXPECT_EQ(hub.ask(Method::put, "/hub/user/ann/api/x").status, 405U);
}

TEST(Pages, AReadyServerBouncesAndLoopsEnd) {
    TestApi hub;
    hub.open_all();
    const auto ann = hub.signed_in("ann");
    ASSERT_TRUE(hub.begin({UserName("ann"), ServerName{}}));
    ASSERT_TRUE(hub.wait_started({UserName("ann"), ServerName{}}));
    EXPECT_EQ(location(hub.get(ann, "/hub/user/ann/lab?x=1")), "/user/ann/lab?redirects=1&x=1");
    EXPECT_EQ(hub.get(ann, "/hub/user/ann/lab?redirects=4").status, 500U);
    EXPECT_EQ(location(hub.get(ann, "/hub/spawn")), "/user/ann/");
    EXPECT_EQ(location(hub.get(ann, "/hub/login")), "/user/ann/");
}

TEST(Pages, SpawnShowsTheFormOrStarts) {
    TestApi hub;
    hub.open_all();
    const auto ann = hub.signed_in("ann");
    EXPECT_EQ(hub.get(ann, "/hub/spawn").status, 200U);
    EXPECT_EQ(hub.get(ann, "/hub/spawn/bob").status, 404U);
    EXPECT_EQ(hub.get(ann, "/hub/spawn/ann/No!").status, 400U);
    EXPECT_EQ(hub.get(ann, "/hub/spawn?opt-=1").status, 422U);
    const auto cross = hub.ask(
        Method::get, "/hub/spawn?profile=cpu", {{"Cookie", ann.header()}, {"Sec-Fetch-Site", "cross-site"}});
    EXPECT_EQ(cross.status, 200U) << "shows the form";
    EXPECT_FALSE(hub.servers->find({UserName("ann"), ServerName{}}));
    const auto refused = hub.get(ann, "/hub/spawn?profile=none");
    EXPECT_EQ(refused.status, 400U);
    const auto begun = hub.get(ann, "/hub/spawn?opt-profile=cpu&next=/user/ann/lab");
    EXPECT_EQ(begun.status, 302U);
    EXPECT_EQ(location(begun), "/hub/spawn-pending/ann?next=%2Fuser%2Fann%2Flab");
    EXPECT_EQ(location(hub.get(ann, location(begun))), "/user/ann/lab");
    EXPECT_EQ(hub.servers->find({UserName("ann"), ServerName{}})->row.profile, "cpu");
}

TEST(Pages, AdminsOnly) {
    TestApi hub;
    hub.open_all();
    EXPECT_EQ(hub.get(hub.signed_in("ann"), "/hub/admin").status, 403U);
    EXPECT_EQ(hub.get(hub.signed_in("root"), "/hub/admin").status, 200U);
    EXPECT_EQ(hub.get(Browser{}, "/hub/admin").status, 302U);
}

TEST(Pages, TheFirstAdministratorsLinkWorksOnce) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.run(hub.directory->create_invite(std::nullopt, now_utc(), std::chrono::hours(1)));
    ASSERT_TRUE(token);
    const std::string path = "/hub/invite?token=" + token->reveal();
    Browser browser;
    const auto page = hub.get(browser, path);
    ASSERT_EQ(page.status, 200U);
    browser.keep(page);
    const std::string xsrf = "&_xsrf=" + browser.cookies["_xsrf"];
    EXPECT_EQ(
        hub.post_form(browser, path, "username=chief&password=longenough&password_repeat=longenough").status,
        403U);
    EXPECT_EQ(
        hub.post_form(browser, path, "username=chief&password=longenough&password_repeat=different" + xsrf)
            .status,
        400U);
    EXPECT_EQ(
        hub.post_form(browser, path, "username=chief&password=short&password_repeat=short" + xsrf).status,
        400U);
    const auto done =
        hub.post_form(browser, path, "username=chief&password=longenough&password_repeat=longenough" + xsrf);
    ASSERT_EQ(done.status, 302U) << done.body;
    browser.keep(done);
    EXPECT_EQ(hub.get(browser, "/hub/admin").status, 200U);
    EXPECT_TRUE(hub.directory->find(UserName("chief"))->row.admin);
    EXPECT_EQ(hub.get(Browser{}, path).status, 404U);
}

TEST(Pages, StaticFilesAreImmutableAndMissingOnesAreNot) {
    TestApi hub;
    hub.open_all();
    const auto missing = hub.ask(Method::get, "/hub/static/nothing.js");
    EXPECT_EQ(missing.status, 404U);
    EXPECT_EQ(missing.headers.find("Cache-Control"), "no-store");
    EXPECT_EQ(hub.ask(Method::get, "/hub/error/503?url=x").status, 200U);
    EXPECT_EQ(
        location(hub.get(hub.signed_in("ann"), "/hub/user-redirect/lab/tree?x=1")),
        "/hub/spawn/ann?next=%2Fuser%2Fann%2Flab%2Ftree%3Fx%3D1");
}

TEST(Pages, OAuthGoesThroughToTheOwnersOwnServer) {
    TestApi hub;
    hub.open_all();
    const auto spawner = std::dynamic_pointer_cast<spawn::doubles::MemorySpawner>(hub.spawner);
    ASSERT_TRUE(hub.begin({UserName("ann"), ServerName{}}));
    ASSERT_TRUE(hub.wait_started({UserName("ann"), ServerName{}}));
    const auto& environment = spawner->started().at(0).environment;
    const auto query =
        "client_id=jupyterhub-user-ann&redirect_uri=%2Fuser%2Fann%2Foauth_callback&response_type=code&state="
        "s%3D1";
    const std::string path = std::string("/hub/api/oauth2/authorize?") + query;
    EXPECT_TRUE(location(hub.get(Browser{}, path)).starts_with("/hub/login?next=%2Fhub%2Fapi%2Foauth2"));
    const auto ann = hub.signed_in("ann");
    const auto sent = location(hub.get(ann, path));
    ASSERT_TRUE(sent.starts_with("/user/ann/oauth_callback?code=")) << sent;
    EXPECT_NE(sent.find("state=s%3D1"), std::string::npos) << sent;
    const auto code = sent.substr(30, sent.find('&') - 30);
    const auto form =
        "client_id=jupyterhub-user-ann&client_secret=" + environment.at("JUPYTERHUB_API_TOKEN") +
        "&grant_type=authorization_code&redirect_uri=%2Fuser%2Fann%2Foauth_callback&code=" + code;
    const auto grant = hub.post_form(Browser{}, "/hub/api/oauth2/token", form);
    ASSERT_EQ(grant.status, 200U) << grant.body;
    EXPECT_EQ(grant.headers.find("Cache-Control"), "no-store");
    const std::string token(test::body_of(grant).at("access_token").as_string());
    const auto who = test::body_of(hub.with_token(token, Method::get, "/hub/api/user"));
    EXPECT_EQ(
        json::serialize(who.at("scopes")),
        R"(["access:servers!server=ann/","read:users:groups!user=ann","read:users:name!user=ann"])");
    EXPECT_EQ(who.at("session_id").as_string(), ann.cookies.at("jupyterhub-session-id"));
    EXPECT_EQ(hub.post_form(Browser{}, "/hub/api/oauth2/token", form).status, 400U) << "a code works once";
    EXPECT_EQ(hub.get(hub.signed_in("bob"), path).status, 403U);
    const auto consent = hub.get(hub.signed_in("root"), path);
    EXPECT_EQ(consent.status, 200U);
    EXPECT_NE(consent.body.find("name=\"scopes\""), std::string::npos);
    EXPECT_EQ(hub.get(ann, "/hub/api/oauth2/authorize?client_id=none").status, 400U);
    // Signing out takes the browser's access with it.
    EXPECT_EQ(hub.get(ann, "/hub/logout").status, 302U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/user").status, 403U);
}

}  // namespace
}  // namespace berth::api
