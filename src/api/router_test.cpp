#include "api/router.hpp"

#include "api/table.hpp"

#include <gtest/gtest.h>

namespace berth::api {
namespace {

std::string_view pattern_at(const Router& router, http::Method method, std::string_view path) {
    const auto found = router.find(method, path);
    return found.row == nullptr ? "none" : found.row->pattern;
}

TEST(Router, FindsRowsAndDecodesSegmentsOneByOne) {
    const Router router(table(), "/hub/");
    const auto found = router.find(http::Method::get, "/hub/api/users/foo%40bar");
    ASSERT_NE(found.row, nullptr);
    EXPECT_EQ(found.arguments, std::vector<std::string>{"foo@bar"});
    EXPECT_EQ(
        router.find(http::Method::get, "/hub/api/users/a%2Fb").arguments, std::vector<std::string>{"a/b"});
    EXPECT_EQ(pattern_at(router, http::Method::get, "/hub/api"), "api");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/hub/api/"), "api/");
    EXPECT_EQ(
        pattern_at(router, http::Method::post, "/hub/api/users/ann/servers/"),
        "api/users/{user}/servers/{server?}");
    EXPECT_EQ(
        pattern_at(router, http::Method::get, "/hub/api/users/ann/servers//progress"),
        "api/users/{user}/servers/{server?}/progress");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/hub/user/ann/lab/tree/x%20y"), "user/{user}/{rest...}");
    EXPECT_EQ(
        router.find(http::Method::get, "/hub/user/ann/lab/x%20y").arguments,
        (std::vector<std::string>{"ann", "/lab/x%20y"}));
    EXPECT_EQ(pattern_at(router, http::Method::head, "/hub/health"), "health");
}

TEST(Router, WhatIsNoRowIsSaid) {
    const Router router(table(), "/hub/");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/hub/api/users/"), "none");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/hub//api"), "none");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/hub/spawn/ann/"), "none");
    EXPECT_TRUE(router.find(http::Method::put, "/hub/api/users").known_path);
    EXPECT_EQ(router.find(http::Method::put, "/hub/api/users").row, nullptr);
    EXPECT_FALSE(router.find(http::Method::get, "/hubapi/users").below_prefix);
    EXPECT_FALSE(router.find(http::Method::get, "/hub").below_prefix);
    EXPECT_TRUE(router.find(http::Method::get, "/hub/api/users/%zz").undecodable);
    EXPECT_TRUE(router.find(http::Method::get, "/hub/api/users/%ff").undecodable);
    EXPECT_FALSE(router.find(http::Method::options, "*").below_prefix);
}

TEST(Router, BaseUrlsMayHoldEscapes) {
    const Router router(table(), "/@/space%20word/hub/");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/@/space%20word/hub/home"), "home");
    EXPECT_EQ(pattern_at(router, http::Method::get, "/%40/space%20word/hub/home"), "home");
    EXPECT_FALSE(router.find(http::Method::get, "/hub/home").below_prefix);
}

}  // namespace
}  // namespace berth::api
