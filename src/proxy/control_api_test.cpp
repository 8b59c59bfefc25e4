#include "proxy/control_api.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace berth::proxy {
namespace {

http::Request request_of(
    http::Method method, std::string target, std::string body = {}, std::string token = "t") {
    http::Request request;
    request.method = method;
    request.target = std::move(target);
    request.body = std::move(body);
    if (!token.empty()) request.headers.add("authorization", "token " + token);
    return request;
}

class ControlApiTest : public testing::Test {
protected:
    unsigned status(http::Method method, std::string target, std::string body = {}, std::string token = "t") {
        return api.handle(request_of(method, std::move(target), std::move(body), std::move(token))).status;
    }
    Routes routes;
    ControlApi api{routes, Secret("t")};
};

TEST_F(ControlApiTest, WritesShowsAndRemovesRoutes) {
    const auto version = routes.version();
    EXPECT_EQ(
        status(http::Method::post, "/api/routes/user/foo%40bar/", R"({"target":"http://h:1","user":"foo"})"),
        201U);
    EXPECT_GT(routes.version(), version);
    const auto one = api.handle(request_of(http::Method::get, "/api/routes/user/foo@bar"));
    EXPECT_EQ(one.status, 200U);
    EXPECT_NE(one.body.find(R"("user":"foo")"), std::string::npos);
    const auto all = api.handle(request_of(http::Method::get, "/api/routes"));
    EXPECT_EQ(all.headers.find("content-type")->substr(0, 16), "application/json");
    EXPECT_NE(all.body.find(R"("/user/foo@bar":{)"), std::string::npos);
    EXPECT_EQ(status(http::Method::del, "/api/routes/user/foo@bar"), 204U);
    EXPECT_EQ(status(http::Method::del, "/api/routes/user/foo@bar"), 404U);
}

TEST_F(ControlApiTest, TellsStrangersNothing) {
    for (const auto* token : {"", "T", "tt", "t t"}) {
        const bool right = std::string_view(token) == "t t";  // CHP takes the first word after "token"
        EXPECT_EQ(status(http::Method::get, "/api/routes", {}, token), right ? 200U : 403U) << token;
    }
    EXPECT_EQ(status(http::Method::post, "/api/routes/x", "no json", "wrong"), 403U);
}

TEST_F(ControlApiTest, RefusesWhatMakesNoSense) {
    EXPECT_EQ(status(http::Method::post, "/api/routes/x", "[]"), 400U);
    EXPECT_EQ(status(http::Method::post, "/api/routes/x", R"({"target":"ftp://h"})"), 400U);
    EXPECT_EQ(status(http::Method::post, "/api/routes/%zz", R"({"target":"http://h"})"), 400U);
    EXPECT_EQ(status(http::Method::put, "/api/routes/x"), 405U);
    EXPECT_EQ(status(http::Method::get, "/api/routesx"), 404U);
    EXPECT_EQ(status(http::Method::get, "/api/routes?inactiveSince=soon"), 400U);
}

TEST(IsoMilliseconds, IsJavaScripts) {
    EXPECT_EQ(iso_milliseconds(1'788'249'600'000), "2026-09-01T08:00:00.000Z");
    EXPECT_EQ(iso_milliseconds(7), "1970-01-01T00:00:00.007Z");
}

class RoutesFileTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "routesXXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }
    std::string file() const { return folder + "/routes"; }
    std::string folder;
};

json::object to(const char* url) {
    return json::object{{"target", url}};
}

TEST_F(RoutesFileTest, IsThereForTheNextProcess) {
    {
        Routes routes;
        ASSERT_TRUE(routes.open_file(file()));
        ASSERT_TRUE(routes.put("/", to("http://hub:1")));
        ASSERT_TRUE(routes.put("/user/ann", to("http://a:1")));
        ASSERT_TRUE(routes.put("/user/ann", to("http://b:1")));
        ASSERT_TRUE(routes.put("/user/bob", to("http://c:1")));
        EXPECT_TRUE(routes.remove("/user/bob"));
    }
    std::ofstream(file(), std::ios::app) << "nonsense\n{\"set\":\"torn";
    Routes routes;
    ASSERT_TRUE(routes.open_file(file()));
    EXPECT_EQ(routes.table()->size(), 2U);
    EXPECT_EQ(routes.table()->find("/user/ann/x")->target.origin, "b:1");
}

TEST_F(RoutesFileTest, DoesNotGrowForEver) {
    Routes routes;
    ASSERT_TRUE(routes.open_file(file()));
    for (int i = 0; i < 5000; ++i)
        ASSERT_TRUE(routes.put("/x", to("http://a:1")));
    EXPECT_LT(std::filesystem::file_size(file()), 200'000U);
    EXPECT_EQ(routes.table()->size(), 1U);
}

TEST_F(RoutesFileTest, SaysWhenItCannotBeWritten) {
    Routes routes;
    const auto opened = routes.open_file(folder + "/none/routes");
    ASSERT_FALSE(opened);
    EXPECT_TRUE(opened.error().is(RoutesErrc::file_unusable));
}

}  // namespace
}  // namespace berth::proxy
