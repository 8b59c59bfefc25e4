#include "web/pages.hpp"

#include "web/assets.hpp"

#include <gtest/gtest.h>

namespace berth::web {
namespace {

constexpr std::string_view kEvil = R"("><script>alert('1')</script>&)";
constexpr std::string_view kEvilMarkup = "<script>alert";

PageContext signed_in() {
    PageContext context;
    context.base_path = "/b/";
    context.hub_path = "/b/hub/";
    context.user = "ann";
    context.xsrf = "2|xsrf|value";
    context.nonce = "n0nce";
    context.version = "0.1.0";
    return context;
}

PageContext evil_context() {
    PageContext context = signed_in();
    context.user = std::string(kEvil);
    context.xsrf = std::string(kEvil);
    context.version = std::string(kEvil);
    context.banners = {{BannerKind::danger, std::string(kEvil)}};
    return context;
}

std::vector<std::string> every_page(const PageContext& context, const std::string& text) {
    const std::vector<ScopeLine> scopes = {{text, text}};
    const std::vector<LoginLink> links = {{text, text}};
    return {
        login_page(
            context, {.form_action = text, .username = text, .error = text, .dummy = true, .links = links}),
        invite_page(
            context, {.form_action = text, .first_administrator = true, .username = text, .error = text}),
        invite_page(context, {.form_action = text, .username = text, .error = text}),
        authorize_page(
            context, {.client_description = text, .redirect_host = text, .scopes = scopes, .error = text}),
        not_running_page(context, {.server_label = text, .start_url = text, .failure = text}),
        error_page(
            context,
            {.status = 404,
             .title = text,
             .message = text,
             .error_id = text,
             .action_label = text,
             .action_url = text}),
        signed_out_page(context),
        app_page(context, "home", {{"named_servers_allowed", true}, {"error", text}}),
        app_page(context, "spawn", {{text, text}}),
    };
}

std::size_t count(std::string_view page, std::string_view what) {
    std::size_t found = 0;
    for (auto at = page.find(what); at != std::string_view::npos; at = page.find(what, at + what.size()))
        ++found;
    return found;
}

bool holds(std::string_view page, std::string_view what) {
    return page.find(what) != std::string_view::npos;
}

// What stands in the page's JSON block.
std::string block_of(const std::string& page) {
    const auto id = page.find("id=\"berth-data\"");
    const auto start = page.find('>', id) + 1;
    return page.substr(start, page.find("</script>", start) - start);
}

}  // namespace

TEST(Pages, EscapeWhateverTheyAreGiven) {
    for (const auto& page : every_page(evil_context(), std::string(kEvil))) {
        EXPECT_FALSE(holds(page, kEvilMarkup)) << page;
    }
}

TEST(Pages, EveryScriptElementIsOneOfOurs) {
    for (const auto& page : every_page(signed_in(), std::string(kEvil))) {
        EXPECT_EQ(count(page, "<script"), count(page, " nonce=\"n0nce\"")) << page;
        EXPECT_EQ(count(page, "style="), 0U);
        EXPECT_EQ(count(page, "onclick="), 0U);
    }
}

TEST(Pages, FormsCarryTheXsrfToken) {
    const auto context = signed_in();
    const std::string forms[] = {
        login_page(context, {.form_action = "/b/hub/login"}),
        invite_page(context, {.form_action = "/b/hub/invite"}),
        authorize_page(context, {.client_description = "svc"})};
    for (const auto& page : forms) {
        EXPECT_EQ(count(page, R"(<input type="hidden" name="_xsrf" value="2|xsrf|value">)"), 1U) << page;
    }
}

TEST(Pages, ConsentPostsToItselfWithOneFieldPerScope) {
    const auto page = authorize_page(
        signed_in(),
        {.client_description = "Server at /user/bob/",
         .redirect_host = "hub.example",
         .scopes = {
             {"access:servers!server=bob/", "Use bob's server"},
             {"read:users:name!user=ann", "Read your name"}}});
    EXPECT_TRUE(holds(page, R"(method="post" action="")"));
    EXPECT_EQ(count(page, "name=\"scopes\""), 2U);
    EXPECT_TRUE(holds(page, R"(name="scopes" value="access:servers!server=bob/")"));
    EXPECT_TRUE(holds(page, "Use bob&#39;s server"));
}

TEST(Pages, SignInFormIsTheOneThatClientsFillIn) {
    const auto page = login_page(
        PageContext{},
        {.form_action = "/hub/login?next=%2Fhub%2F",
         .username = "ann",
         .error = "Invalid username or password"});
    EXPECT_TRUE(holds(page, "action=\"/hub/login?next=%2Fhub%2F\""));
    EXPECT_TRUE(holds(page, "name=\"username\""));
    EXPECT_TRUE(holds(page, "value=\"ann\""));
    EXPECT_TRUE(holds(page, "name=\"password\""));
    EXPECT_TRUE(holds(page, "role=\"alert\""));
    EXPECT_FALSE(holds(page, "Sign out"));
}

TEST(Pages, OnlyTheFirstAdministratorChoosesAName) {
    const auto context = signed_in();
    EXPECT_FALSE(holds(invite_page(context, {.first_administrator = true}), "readonly"));
    const auto page = invite_page(context, {.username = "bob"});
    EXPECT_TRUE(holds(page, "readonly"));
    EXPECT_EQ(count(page, "type=\"password\""), 2U);
}

TEST(Pages, NoLaunchLinkForThoseWhoMayNotStart) {
    const auto may =
        not_running_page(signed_in(), {.server_label = "Your server", .start_url = "/b/hub/spawn/ann"});
    EXPECT_TRUE(holds(may, "href=\"/b/hub/spawn/ann\""));
    const auto may_not = not_running_page(signed_in(), {.server_label = "bob’s server"});
    EXPECT_FALSE(holds(may_not, "hub/spawn"));
}

TEST(Pages, LogOfAFailedStartStandsBelowItsSentence) {
    const auto page = not_running_page(
        signed_in(),
        {.server_label = "Your server", .failure = "It ended. Its last words:\nline <1>\nline 2"});
    EXPECT_TRUE(holds(page, "<span>It ended.</span>")) << page;
    EXPECT_TRUE(holds(page, ">line &lt;1&gt;\nline 2</pre>")) << page;
}

TEST(Pages, AdminEntryIsForAdministrators) {
    auto context = signed_in();
    EXPECT_FALSE(holds(app_page(context, "home", {}), "/b/hub/admin\""));
    context.admin = true;
    EXPECT_TRUE(holds(app_page(context, "home", {}), "/b/hub/admin\""));
}

TEST(Pages, ErrorPageSaysStatusMessageAndId) {
    const auto page = error_page(
        signed_in(),
        {.status = 503, .message = "The engine is down. Ask an administrator.", .error_id = "e-42"});
    EXPECT_TRUE(holds(page, "503"));
    EXPECT_TRUE(holds(page, "The engine is down."));
    EXPECT_TRUE(holds(page, "e-42"));
}

TEST(AppPage, JsonBlockCannotEndItsElement) {
    for (const std::string text : {"</script><script>alert(1)</script>", "<!--<script>", "]]>", "&lt;"}) {
        const auto page = app_page(signed_in(), "spawn", {{"error", text}});
        const auto block = block_of(page);
        EXPECT_EQ(block.find_first_of("<>&"), std::string::npos) << block;
        const auto parsed = parse_json(block);
        ASSERT_TRUE(parsed.has_value()) << block;
        EXPECT_EQ(parsed->at("data").at("error").as_string(), text);
    }
}

TEST(AppPage, SaysWhoWhereAndWhat) {
    const auto parsed =
        parse_json(block_of(app_page(signed_in(), "home", {{"named_servers_allowed", true}})));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->at("page").as_string(), "home");
    EXPECT_EQ(parsed->at("base").as_string(), "/b/");
    EXPECT_EQ(parsed->at("hub").as_string(), "/b/hub/");
    EXPECT_EQ(parsed->at("user").as_string(), "ann");
    EXPECT_FALSE(parsed->at("admin").as_bool());
    EXPECT_EQ(parsed->at("xsrf").as_string(), "2|xsrf|value");
    EXPECT_TRUE(parsed->at("data").at("named_servers_allowed").as_bool());
}

TEST(Assets, AreFoundByHashedPathOnly) {
    for (const std::string_view name : {"app.js", "berth.css", "page.js", "favicon.svg"}) {
        const auto url = asset_url("/b/hub/", name);
        ASSERT_FALSE(url.empty()) << name;
        const auto* asset = find_asset(url);
        ASSERT_NE(asset, nullptr) << url;
        EXPECT_EQ(asset->name, name);
        EXPECT_EQ(asset, find_asset(asset->path));
        EXPECT_EQ(asset->sha256.size(), 64U);
        EXPECT_FALSE(asset->bytes.empty());
        EXPECT_EQ(find_asset(name), nullptr);
    }
    EXPECT_EQ(find_asset("/hub/static/../assets.hpp"), nullptr);
    EXPECT_EQ(find_asset(""), nullptr);
}

TEST(Assets, ArePutIntoEveryPage) {
    const auto css = asset_url("/b/hub/", "berth.css");
    for (const auto& page : every_page(signed_in(), "x"))
        EXPECT_EQ(count(page, css), 1U);
    EXPECT_TRUE(holds(app_page(signed_in(), "home", {}), asset_url("/b/hub/", "app.js")));
}

TEST(Assets, AreTheBytesOfTheFiles) {
    const auto* css = find_asset(asset_url("/hub/", "berth.css"));
    ASSERT_NE(css, nullptr);
    const std::string text(css->bytes.begin(), css->bytes.end());
    EXPECT_TRUE(holds(text, "--accent"));
    EXPECT_TRUE(text.back() == '\n' || text.back() == '}');
    if (css->gzip.empty()) return;
    EXPECT_EQ(css->gzip[0], 0x1F);
    EXPECT_LT(css->gzip.size(), css->bytes.size());
}

}  // namespace berth::web
