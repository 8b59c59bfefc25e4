#include "proxy/route_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace berth::proxy {
namespace {

RoutePtr route_of(std::string key) {
    auto route = std::make_shared<Route>();
    route->key = std::move(key);
    route->depth = route->key.empty()
                       ? 0
                       : 1 + static_cast<std::size_t>(std::count(route->key.begin(), route->key.end(), '/'));
    return route;
}

std::shared_ptr<const RouteTable> table_of(std::initializer_list<std::string> keys) {
    std::shared_ptr<const RouteTable> table = std::make_shared<RouteTable>();
    for (const auto& key : keys)
        table = table->with(route_of(key));
    return table;
}

std::string found(const RouteTable& table, std::string_view path) {
    const auto route = table.find(path);
    return route ? route->key : "none";
}

TEST(RouteTable, FindsTheLongestPrefixOfComponents) {
    const auto table = table_of({"", "b", "b/c", "b/c/d/e", "user/foo@bar"});
    EXPECT_EQ(found(*table, "/"), "");
    EXPECT_EQ(found(*table, ""), "");
    EXPECT_EQ(found(*table, "/b"), "b");
    EXPECT_EQ(found(*table, "///b///"), "b");
    EXPECT_EQ(found(*table, "/b/cword"), "b");
    EXPECT_EQ(found(*table, "/bc"), "");
    EXPECT_EQ(found(*table, "/b/c"), "b/c");
    EXPECT_EQ(found(*table, "/b/c/d"), "b/c");
    EXPECT_EQ(found(*table, "/b/c/d/e/f/g/h"), "b/c/d/e");
    EXPECT_EQ(found(*table, "/b//c"), "b");
    EXPECT_EQ(found(*table, "/user/foo@bar/lab"), "user/foo@bar");
}

TEST(RouteTable, WithoutARootSomePathsHaveNoRoute) {
    const auto table = table_of({"a/b"});
    EXPECT_EQ(found(*table, "/"), "none");
    EXPECT_EQ(found(*table, "/a"), "none");
    EXPECT_EQ(found(*table, "/a/b"), "a/b");
    EXPECT_EQ(found(*table, "/__proto__"), "none");
}

TEST(RouteTable, RemovalKeepsWhatIsBelow) {
    const auto before = table_of({"a", "a/b"});
    const auto after = before->without("/a/");
    EXPECT_EQ(found(*after, "/a/b/c"), "a/b");
    EXPECT_EQ(found(*after, "/a/x"), "none");
    EXPECT_EQ(found(*before, "/a/x"), "a") << "a table that somebody holds does not change";
    EXPECT_EQ(after->size(), 1U);
    EXPECT_EQ(after->without("nothing")->size(), 1U);
    EXPECT_EQ(after->find_exact("/a"), nullptr);
    EXPECT_NE(after->find_exact("/a/b/"), nullptr);
}

TEST(RouteTable, AgreesWithANaiveMap) {
    std::mt19937 random(7);
    const auto any_path = [&] {
        std::string path;
        for (auto parts = random() % 4; parts > 0; --parts)
            path += (path.empty() ? "" : "/") + std::to_string(random() % 3);
        return path;
    };
    std::shared_ptr<const RouteTable> table = std::make_shared<RouteTable>();
    std::map<std::string, bool> naive;
    for (int step = 0; step < 5000; ++step) {
        auto key = any_path();
        if (random() % 2 == 0) {
            naive[key] = true;
            table = table->with(route_of(key));
        } else {
            naive.erase(key);
            table = table->without(key);
        }
        ASSERT_EQ(table->size(), naive.size());
        const auto path = any_path();
        std::string want = "none";
        for (auto prefix = path;; prefix.resize(prefix.rfind('/'))) {
            if (naive.contains(prefix)) {
                want = prefix;
                break;
            }
            if (prefix.find('/') == std::string::npos) {
                if (naive.contains("")) want = "";
                break;
            }
        }
        ASSERT_EQ(found(*table, "/" + path + "/"), want);
    }
}

TEST(RoutePath, DecodesOnlyWhatNeedsIt) {
    std::string scratch;
    const std::string_view plain = "/user/ann/lab";
    EXPECT_EQ(decode_route_path(plain, scratch)->data(), plain.data());
    EXPECT_EQ(decode_route_path("/user/foo%40bar%20x%2Fy", scratch), "/user/foo@bar x/y");
    EXPECT_EQ(decode_route_path("/%C3%BC", scratch), "/ü");
    for (const auto* bad : {"/%", "/%4", "/%zz", "/x%", "/%ff"})
        EXPECT_EQ(decode_route_path(bad, scratch), std::nullopt) << bad;
}

TEST(RoutePath, StripsComponentsOfTheRawPath) {
    EXPECT_EQ(strip_components("/bar/rest/x", 1), "/rest/x");
    EXPECT_EQ(strip_components("/bar", 1), "/");
    EXPECT_EQ(strip_components("/bar/", 1), "/");
    EXPECT_EQ(strip_components("//user/foo%40bar//x", 2), "//x");
    EXPECT_EQ(strip_components("/a%2Fb/c", 2), "/c");
    EXPECT_EQ(strip_components("/a/b", 0), "/a/b");
}

TEST(RouteTarget, IsTakenApart) {
    const auto target = parse_target("http://10.0.3.7:8888/base/?a=b");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->origin, "10.0.3.7:8888");
    EXPECT_EQ(target->path, "/base");
    EXPECT_EQ(target->query, "a=b");
    EXPECT_EQ(parse_target("http://hub")->port, 80);
    EXPECT_EQ(parse_target("http://hub")->host_field, "hub");
    EXPECT_EQ(parse_target("https://hub")->origin, "hub:443");
    EXPECT_TRUE(parse_target("https://hub")->tls);
    EXPECT_EQ(parse_target("http://[::1]:81/")->host, "::1");
    EXPECT_EQ(parse_target("http+unix://%2Frun%2Fx.sock/y")->socket_path, "/run/x.sock");
}

TEST(RouteTarget, RefusesWhatIsNone) {
    for (const auto* bad :
         {"",
          "hub:80",
          "http://",
          "http://:80",
          "http://h:0",
          "http://h:99999",
          "http://h:80x",
          "http://user:pw@h",
          "http://h\r\nX: y",
          "http://h/a b",
          "http+unix://",
          "http://[::1"}) {
        const auto target = parse_target(bad);
        ASSERT_FALSE(target) << bad;
        EXPECT_TRUE(target.error().is(TargetErrc::malformed)) << bad;
    }
    EXPECT_TRUE(parse_target("ftp://h").error().is(TargetErrc::scheme_not_supported));
}

}  // namespace
}  // namespace berth::proxy
