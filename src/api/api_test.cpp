#include "api/test_api.hpp"
#include "base/text.hpp"

namespace berth::api {
namespace {

using namespace std::string_literals;
using http::Method;
using test::body_of;
using test::TestApi;

std::string header(const http::Response& response, std::string_view name) {
    return std::string(response.headers.find(name).value_or(""));
}

TEST(Api, VersionNeedsNobodyAndEveryAnswerCarriesTheHeaders) {
    TestApi hub;
    hub.open_all();
    const auto version = hub.ask(Method::get, "/hub/api");
    EXPECT_EQ(version.status, 200U);
    EXPECT_EQ(version.body, R"({"version":"6.1.1"})");
    EXPECT_EQ(header(version, "Access-Control-Allow-Origin"), "*");
    for (const char* path : {"/hub/api", "/hub/api/nothing", "/hub/login", "/x", "/hub/home"}) {
        SCOPED_TRACE(path);
        const auto answer = hub.ask(Method::get, path);
        EXPECT_EQ(header(answer, "X-JupyterHub-Version"), "6.1.1");
        const auto policy = header(answer, "Content-Security-Policy");
        EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
        EXPECT_NE(policy.find("/security/csp-report"), std::string::npos);
        EXPECT_EQ(policy.find("http"), std::string::npos);
    }
    EXPECT_EQ(hub.ask(Method::get, "/hub/api/nothing").body, R"({"status":404,"message":"Not Found"})");
    EXPECT_EQ(hub.ask(Method::put, "/hub/api/users").status, 405U);
    const auto options = hub.ask(Method::options, "/hub/api/users");
    EXPECT_EQ(options.status, 200U);
    EXPECT_EQ(options.body, "");
}

TEST(Api, OutsideThePrefixLeadsIntoIt) {
    TestApi hub;
    hub.open_all();
    EXPECT_EQ(header(hub.ask(Method::get, "/?a=5"), "Location"), "/hub/?a=5");
    EXPECT_EQ(
        header(hub.ask(Method::get, "/user/ann/api/kernels?17"), "Location"), "/hub/user/ann/api/kernels?17");
    const auto slash = hub.ask(Method::get, "/user/ann");
    EXPECT_EQ(slash.status, 301U);
    EXPECT_EQ(header(slash, "Location"), "/user/ann/");
    EXPECT_EQ(header(hub.ask(Method::get, "/hub"), "Location"), "/hub/");
    EXPECT_EQ(hub.ask(Method::post, "/user/ann/x").status, 403U);
    EXPECT_TRUE(hub.ask(Method::get, "/").headers.all("Set-Cookie").empty());
}

TEST(Api, ServersListenerShowsOnlyTheApi) {
    TestApi hub;
    hub.open_all();
    hub.handle = hub.api->handler_for_servers();
    EXPECT_EQ(hub.ask(Method::get, "/hub/api").status, 200U);
    EXPECT_EQ(hub.ask(Method::post, "/hub/api/oauth2/token").status, 400U);
    for (const char* path :
         {"/hub/login",
          "/hub/home",
          "/",
          "/user/ann/",
          "/hub/api/oauth2/authorize",
          "/hub/static/x",
          "/hub/user/ann/"}) {
        EXPECT_EQ(hub.ask(Method::get, path).status, 404U) << path;
    }
}

TEST(Api, WhoamiAnswersEveryValidToken) {
    TestApi hub;
    hub.open_all();
    const auto answer = hub.with_token(hub.token_of("ann", {"(no_scope)"}), Method::get, "/hub/api/user");
    ASSERT_EQ(answer.status, 200U) << answer.body;
    const auto model = body_of(answer).as_object();
    EXPECT_EQ(model.at("kind"), "user");
    EXPECT_EQ(model.at("name"), "ann");
    EXPECT_EQ(model.at("admin"), false);
    EXPECT_EQ(json::serialize(model.at("groups")), R"(["ml"])");
    EXPECT_EQ(
        json::serialize(model.at("scopes")), R"(["read:users:groups!user=ann","read:users:name!user=ann"])");
    EXPECT_TRUE(model.at("token_id").as_string().starts_with("a"));
    EXPECT_TRUE(model.contains("session_id"));
    EXPECT_TRUE(model.contains("user_info"));
    EXPECT_TRUE(answer.headers.all("Set-Cookie").empty());
    EXPECT_EQ(
        hub.with_token("nonsense", Method::get, "/hub/api/user").body,
        R"({"status":403,"message":"Missing or invalid credentials."})");
    const auto service = hub.with_token("0123456789abcdef", Method::get, "/hub/api/user");
    EXPECT_EQ(body_of(service).at("kind"), "service");
}

TEST(Api, FullModelOfAStoppedUserHasJupyterHubsKeys) {
    TestApi hub;
    hub.open_all();
    const auto answer = hub.with_token(hub.admin_token(), Method::get, "/hub/api/users/bob");
    const auto model = body_of(answer).as_object();
    std::set<std::string> keys;
    for (const auto& member : model)
        keys.insert(member.key());
    EXPECT_EQ(
        keys,
        (std::set<std::string>{
            "admin",
            "auth_state",
            "created",
            "groups",
            "kind",
            "last_activity",
            "name",
            "pending",
            "roles",
            "server",
            "servers",
            "user_info"}));
    EXPECT_EQ(json::serialize(model.at("roles")), R"(["user"])");
    EXPECT_EQ(json::serialize(model.at("servers")), "{}");
}

TEST(Api, UsersComeInPagesWhenAsked) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.admin_token();
    auto made =
        hub.with_token(token, Method::post, "/hub/api/users", R"({"usernames":["U1","u2","u3","ann"]})");
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(body_of(made).as_array().size(), 3U);
    EXPECT_EQ(body_of(made).at(0).at("name"), "u1");
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/users", R"({"usernames":["u1"]})").status, 409U);
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/users", R"({"usernames":["a/b"]})").status, 400U);
    EXPECT_EQ(
        hub.with_token(token, Method::post, "/hub/api/users", R"({"usernames":[],"x":1})").status, 400U);
    EXPECT_EQ(
        hub.with_token(token, Method::post, "/hub/api/users", "{").body,
        R"({"status":400,"message":"Invalid JSON in body of request"})");
    const auto page = hub.ask(
        Method::get,
        "/hub/api/users?limit=2&name_filter=U&include_stopped_servers",
        {{"Authorization", "token " + token}, {"Accept", "application/jupyterhub-pagination+json"}});
    const auto body = body_of(page);
    ASSERT_TRUE(body.is_object()) << page.body;
    EXPECT_EQ(body.at("items").as_array().size(), 2U);
    EXPECT_EQ(body.at("_pagination").at("total"), 3);
    EXPECT_EQ(
        body.at("_pagination").at("next").at("url"),
        "http://hub.example/hub/api/users?name_filter=U&include_stopped_servers=&limit=2&offset=2");
    EXPECT_EQ(
        body_of(hub.with_token(token, Method::get, "/hub/api/users?limit=2&offset=-1")).as_array().size(),
        2U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users?limit=x").status, 400U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users?state=x").status, 400U);
    const auto sorted = body_of(hub.with_token(token, Method::get, "/hub/api/users?sort=-name&limit=1"));
    EXPECT_EQ(sorted.at(0).at("name"), "u3");
}

// Pages of every order and filter, put together, against the whole list sorted here.
TEST(Api, EveryOrderAndFilterOfUsersAgreesWithAPlainList) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.admin_token();
    std::string names;
    for (int n = 0; n < 40; ++n)
        names += (n == 0 ? "\"u" : ",\"u") + std::to_string((n * 17) % 40) + '"';
    ASSERT_EQ(
        hub.with_token(token, Method::post, "/hub/api/users", "{\"usernames\":[" + names + "]}").status,
        201U);
    for (int n = 0; n < 40; n += 3) {
        const auto* user = hub.directory->find(UserName("u" + std::to_string(n)));
        hub.directory->touch(user->id(), now_utc() + std::chrono::seconds((n * 7) % 11));
    }
    const auto all = body_of(hub.with_token(token, Method::get, "/hub/api/users")).as_array();
    for (const std::string sort : {"id", "name", "last_activity"}) {
        for (const std::string part : {"", "u", "1", "nobody"}) {
            for (const bool reverse : {false, true}) {
                std::vector<json::value> expected;
                for (const auto& user : all)
                    if (user.at("name").as_string().find(part) != std::string::npos) expected.push_back(user);
                const auto key = [&](const json::value& user) {
                    if (sort == "id") return std::string();
                    const auto& value = user.at(sort);
                    return value.is_null() ? std::string() : std::string(value.as_string());
                };
                std::stable_sort(expected.begin(), expected.end(), [&](const auto& a, const auto& b) {
                    return key(a) < key(b);
                });
                if (reverse) std::reverse(expected.begin(), expected.end());
                std::vector<json::value> paged;
                for (std::size_t offset = 0; offset < expected.size() + 7; offset += 7) {
                    const auto page = body_of(hub.with_token(
                        token,
                        Method::get,
                        "/hub/api/users?limit=7&offset=" + std::to_string(offset) +
                            "&sort=" + (reverse ? "-" : "") + sort + "&name_filter=" + part));
                    for (const auto& user : page.as_array())
                        paged.push_back(user);
                }
                EXPECT_EQ(paged, expected) << sort << " '" << part << "' " << reverse;
            }
        }
    }
}

TEST(Api, ListsShowWhatTheFilterReaches) {
    TestApi hub;
    hub.open_all();
    const auto group = hub.admin_token({"list:users!group=ml", "read:users:name!group=ml"});
    const auto users = body_of(hub.with_token(group, Method::get, "/hub/api/users")).as_array();
    ASSERT_EQ(users.size(), 1U);
    EXPECT_EQ(users[0].at("name"), "ann");
    EXPECT_FALSE(users[0].as_object().contains("servers"));
}

TEST(Api, OnlyAdministratorsMakeAdministrators) {
    TestApi hub;
    hub.open_all();
    const auto service = "0123456789abcdef"s;
    EXPECT_EQ(
        hub.with_token(service, Method::post, "/hub/api/users", R"({"usernames":["eve"],"admin":true})")
            .status,
        403U);
    EXPECT_EQ(hub.with_token(service, Method::patch, "/hub/api/users/ann", R"({"admin":true})").status, 403U);
    const auto same = hub.with_token(
        hub.admin_token(), Method::patch, "/hub/api/users/ann", R"({"name":"ann","admin":true})");
    EXPECT_EQ(same.status, 200U) << same.body;
    EXPECT_EQ(body_of(same).at("admin"), true);
    EXPECT_EQ(body_of(same).at("name"), "ann");
}

TEST(Api, UsersAreRenamedAndDeleted) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.admin_token();
    EXPECT_EQ(hub.with_token(token, Method::patch, "/hub/api/users/ann", R"({"name":"bob"})").status, 400U);
    EXPECT_EQ(hub.with_token(token, Method::patch, "/hub/api/users/ann", R"({"name":".."})").status, 400U);
    EXPECT_EQ(hub.with_token(token, Method::patch, "/hub/api/users/ann", R"({"name":"Zoe"})").status, 200U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users/zoe").status, 200U);
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/users/zoe").status, 204U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users/zoe").status, 404U);
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/users/root").status, 400U);
}

TEST(Api, TokensAreMadeShownOnceAndRevoked) {
    TestApi hub;
    hub.open_all();
    const auto own = hub.token_of("ann");
    const auto made =
        hub.with_token(own, Method::post, "/hub/api/users/ann/tokens", R"({"note":"n","expires_in":60})");
    ASSERT_EQ(made.status, 201U) << made.body;
    const auto model = body_of(made).as_object();
    const std::string secret(model.at("token").as_string());
    EXPECT_EQ(model.at("note"), "n");
    EXPECT_FALSE(model.at("expires_at").is_null());
    EXPECT_EQ(hub.with_token(secret, Method::get, "/hub/api/user").status, 200U);
    const std::string id(model.at("id").as_string());
    EXPECT_EQ(hub.with_token(own, Method::get, "/hub/api/users/ann/tokens/" + id).status, 200U);
    EXPECT_EQ(hub.with_token(own, Method::del, "/hub/api/users/ann/tokens/" + id).status, 204U);
    EXPECT_EQ(hub.with_token(secret, Method::get, "/hub/api/user").status, 403U);
    for (const char* bad :
         {R"({"expires_in":0})",
          R"({"expires_in":"x"})",
          R"({"scopes":["nonsense"]})",
          R"({"scopes":["admin:users"]})",
          R"({"roles":["user"],"scopes":["self"]})",
          R"({"x":1})"}) {
        EXPECT_EQ(hub.with_token(own, Method::post, "/hub/api/users/ann/tokens", bad).status, 400U) << bad;
    }
    EXPECT_EQ(hub.with_token(hub.admin_token(), Method::post, "/hub/api/users/nobody/tokens").status, 403U);
    EXPECT_EQ(hub.with_token(own, Method::get, "/hub/api/users/bob/tokens").status, 404U);
    const auto by_password = hub.ask(
        Method::post, "/hub/api/users/ann/tokens", {}, R"({"auth":{"username":"ann","password":"pw"}})");
    EXPECT_EQ(by_password.status, 201U) << by_password.body;
    const auto wrong = hub.ask(
        Method::post, "/hub/api/users/ann/tokens", {}, R"({"auth":{"username":"ann","password":"no"}})");
    EXPECT_EQ(wrong.status, 403U);
    const auto for_other = hub.ask(
        Method::post, "/hub/api/users/ann/tokens", {}, R"({"auth":{"username":"bob","password":"pw"}})");
    EXPECT_EQ(for_other.status, 403U);
}

TEST(Api, AServerStartsShowsItselfAndStops) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("ann");
    const auto started =
        hub.with_token(token, Method::post, "/hub/api/users/ann/server", R"({"profile":"gpu"})");
    ASSERT_EQ(started.status, 201U) << started.body;
    EXPECT_EQ(started.body, "");
    const auto user = body_of(hub.with_token(token, Method::get, "/hub/api/users/ann"));
    EXPECT_EQ(user.at("server"), "/user/ann/");
    const auto& server = user.at("servers").at("");
    EXPECT_EQ(server.at("ready"), true);
    EXPECT_EQ(server.at("stopped"), false);
    EXPECT_EQ(server.at("progress_url"), "/hub/api/users/ann/server/progress");
    EXPECT_EQ(server.at("full_name"), "ann/");
    EXPECT_EQ(json::serialize(server.at("berth").at("devices")), R"(["GPU-a"])");
    EXPECT_FALSE(server.as_object().contains("state"));
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/users/ann/server").status, 400U);
    const auto board = body_of(hub.with_token(hub.token_of("bob"), Method::get, "/hub/api/berth/gpus"));
    EXPECT_EQ(board.at("devices").at(0).at("leases_count"), 1);
    EXPECT_TRUE(board.at("devices").at(0).at("leases").at(0).at("user").is_null());
    const auto own_board = body_of(hub.with_token(token, Method::get, "/hub/api/berth/gpus"));
    EXPECT_EQ(own_board.at("devices").at(0).at("leases").at(0).at("user"), "ann");
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/users/ann/server").status, 204U);
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/users/ann/server").status, 204U);
    EXPECT_EQ(
        json::serialize(body_of(hub.with_token(token, Method::get, "/hub/api/users/ann")).at("servers")),
        "{}");
}

TEST(Api, WithoutAFreeGpuTheRefusalNamesTheRule) {
    TestApi hub;
    hub.open_all();
    const auto admin = hub.admin_token();
    ASSERT_EQ(
        hub.with_token(admin, Method::post, "/hub/api/users/ann/server", R"({"profile":"gpu"})").status,
        201U);
    ASSERT_EQ(
        hub.with_token(admin, Method::post, "/hub/api/users/bob/server", R"({"profile":"gpu"})").status,
        201U);
    const auto full = hub.with_token(
        admin, Method::post, "/hub/api/users/root/server", R"({"profile":"gpu","wait":false})");
    EXPECT_EQ(full.status, 429U) << full.body;
    EXPECT_FALSE(body_of(full).at("message").as_string().empty());
    const auto offered =
        body_of(hub.with_token(admin, Method::get, "/hub/api/berth/profiles?user=root&server="));
    EXPECT_EQ(offered.at(0).at("available").at("fits"), false);
    EXPECT_EQ(offered.at(0).at("available").at("reason"), "All 2 GPUs are in use.");
    EXPECT_EQ(offered.at(0).at("available").at("wait").at("position"), 1);
    EXPECT_EQ(offered.at(1).at("available").at("fits"), true);
}

TEST(Api, NamedServersAreRecordsFirst) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("ann");
    const auto made =
        hub.with_token(token, Method::put, "/hub/api/users/ann/servers/gpu", R"({"display_name":"My GPU"})");
    ASSERT_EQ(made.status, 201U) << made.body;
    EXPECT_EQ(body_of(made).at("display_name"), "My GPU");
    EXPECT_EQ(body_of(made).at("stopped"), true);
    EXPECT_EQ(hub.with_token(token, Method::put, "/hub/api/users/ann/servers/gpu").status, 409U);
    EXPECT_EQ(hub.with_token(token, Method::put, "/hub/api/users/ann/server").status, 409U);
    EXPECT_EQ(hub.with_token(token, Method::put, "/hub/api/users/ann/servers/No%20").status, 400U);
    EXPECT_EQ(
        hub.with_token(token, Method::patch, "/hub/api/users/ann/servers/gpu", R"({"nonsense":1})").status,
        400U);
    EXPECT_EQ(
        hub.with_token(token, Method::patch, "/hub/api/users/ann/servers/gpu", R"({"name":"cpu"})").status,
        200U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users/ann/servers/gpu").status, 404U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users/ann/servers/cpu").status, 200U);
    EXPECT_EQ(
        hub.with_token(token, Method::del, "/hub/api/users/ann/servers/cpu", R"({"remove":true})").status,
        204U);
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users/ann/servers/cpu").status, 404U);
    EXPECT_EQ(
        hub.with_token(token, Method::del, "/hub/api/users/ann/server", R"({"remove":true})").status, 400U);
}

TEST(Api, AFailedStartSaysWhyInTheAnswerAndInTheStream) {
    TestApi hub;
    hub.open_all<spawn::doubles::CrashingSpawner>();
    const auto token = hub.token_of("ann");
    const auto failed =
        hub.with_token(token, Method::post, "/hub/api/users/ann/server", R"({"profile":"cpu"})");
    EXPECT_EQ(failed.status, 500U) << failed.body;
    hub.wait_gone({UserName("ann"), ServerName{}});
    const auto progress = hub.with_token(token, Method::get, "/hub/api/users/ann/server/progress");
    ASSERT_EQ(progress.status, 200U) << progress.body;
    ASSERT_TRUE(progress.stream);
    struct Collected final : http::BodyWriter {
        std::string text;
        awaitable<> write(std::string piece) override {
            text += piece;
            co_return;
        }
    } collected;
    auto run_stream = [](const http::Response& response, Collected& into) -> awaitable<bool> {
        co_await response.stream(into);
        co_return true;
    };
    hub.run(run_stream(progress, collected));
    EXPECT_NE(collected.text.find("\"failed\":true"), std::string::npos) << collected.text;
    EXPECT_NE(collected.text.find("Spawn failed: "), std::string::npos) << collected.text;
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/users/ann/servers/none/progress").status, 404U);
}

TEST(Api, ActivityMovesForwardOnly) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("ann");
    ASSERT_EQ(hub.with_token(token, Method::put, "/hub/api/users/ann/servers/gpu").status, 201U);
    const std::string path = "/hub/api/users/ann/activity";
    const auto ok = hub.with_token(token, Method::post, path, R"({"last_activity":"2036-01-01T00:00:00Z"})");
    EXPECT_EQ(ok.status, 400U) << "the future";
    EXPECT_EQ(
        hub.with_token(
               token,
               Method::post,
               path,
               R"({"servers":{"gpu":{"last_activity":"2026-01-02T03:04:05.678901Z"}}})")
            .status,
        200U);
    EXPECT_EQ(
        body_of(hub.with_token(token, Method::get, "/hub/api/users/ann/servers/gpu")).at("last_activity"),
        "2026-01-02T03:04:05.678901Z");
    EXPECT_EQ(
        hub.with_token(
               token, Method::post, path, R"({"servers":{"gpu":{"last_activity":"2026-01-01T00:00:00"}}})")
            .status,
        200U);
    EXPECT_EQ(
        body_of(hub.with_token(token, Method::get, "/hub/api/users/ann/servers/gpu")).at("last_activity"),
        "2026-01-02T03:04:05.678901Z");
    for (const char* bad :
         {"",
          "[]",
          "{}",
          R"({"servers":{"none":{"last_activity":"2026-01-01T00:00:00Z"}}})",
          R"({"servers":{"gpu":"x"}})",
          R"({"servers":{"gpu":{}}})",
          R"({"last_activity":"yesterday"})"}) {
        EXPECT_EQ(hub.with_token(token, Method::post, path, bad).status, 400U) << bad;
    }
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/users/bob/activity", "{}").status, 404U);
}

TEST(Api, GroupsServicesAndShutdown) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.admin_token();
    EXPECT_EQ(
        hub.with_token(token, Method::post, "/hub/api/groups/new", R"({"users":["ann"]})").status, 201U);
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/groups/new").status, 409U);
    EXPECT_EQ(
        hub.with_token(token, Method::post, "/hub/api/groups/new/users", R"({"users":["nobody"]})").status,
        400U);
    EXPECT_EQ(
        hub.with_token(token, Method::post, "/hub/api/groups/new/users", R"({"users":["bob"]})").status,
        200U);
    const auto left = hub.with_token(token, Method::del, "/hub/api/groups/new/users", R"({"users":["ann"]})");
    EXPECT_EQ(json::serialize(body_of(left).at("users")), R"(["bob"])");
    EXPECT_EQ(
        hub.with_token(token, Method::put, "/hub/api/groups/new/properties", R"({"a":1})").status, 200U);
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/groups/new").status, 204U);
    EXPECT_TRUE(body_of(hub.with_token(token, Method::get, "/hub/api/services")).as_object().contains("svc"));
    EXPECT_EQ(hub.with_token(token, Method::del, "/hub/api/services/svc").status, 405U);
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/shutdown", R"({"proxy":1})").status, 400U);
    EXPECT_EQ(hub.with_token(token, Method::post, "/hub/api/shutdown").status, 202U);
    EXPECT_EQ(hub.shut_downs, 1);
}

TEST(Api, AllocatorIsAnArrayOfCounters) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.admin_token({"gpu:lease"});
    const std::string base = "/hub/api/berth/allocator/";
    EXPECT_EQ(
        hub.with_token(token, Method::post, base + "gpus", R"(["GPU-x","GPU-y"])").body,
        R"({"GPU-x":0,"GPU-y":0})");
    EXPECT_EQ(body_of(hub.with_token(token, Method::post, base + "request")).at("uuid"), "GPU-x");
    EXPECT_EQ(body_of(hub.with_token(token, Method::post, base + "request")).at("uuid"), "GPU-y");
    EXPECT_EQ(hub.with_token(token, Method::post, base + "request").status, 409U);
    EXPECT_EQ(
        hub.with_token(token, Method::post, base + "release", R"({"uuid":"GPU-x"})").body,
        R"({"GPU-x":0,"GPU-y":1})");
    EXPECT_EQ(hub.with_token(token, Method::post, base + "release", R"({"uuid":"GPU-x"})").status, 200U);
    EXPECT_EQ(hub.with_token(token, Method::post, base + "release", R"({"uuid":"GPU-none"})").status, 404U);
    EXPECT_EQ(hub.with_token(token, Method::post, base + "gpus", R"({"a":1})").status, 400U);
}

TEST(Api, MetricsNeedTheirScope) {
    TestApi hub;
    hub.open_all();
    EXPECT_EQ(hub.ask(Method::get, "/hub/metrics").status, 403U);
    const auto page = hub.with_token(hub.admin_token({"read:metrics"}), Method::get, "/hub/metrics");
    EXPECT_EQ(page.status, 200U);
    EXPECT_NE(page.body.find("jupyterhub_total_users 3"), std::string::npos) << page.body.substr(0, 500);
}

}  // namespace
}  // namespace berth::api
