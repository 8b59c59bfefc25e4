#include "proxy/forward_head.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

const http::HeadLimits kLimits;

std::string forwarded(
    std::string_view text,
    const ProxyOptions& options = {},
    const char* url = "http://10.0.0.1:8888",
    IsUpgrade upgrade = IsUpgrade::no) {
    http::RequestHead head;
    const auto progress = http::read_request_head(text, kLimits, head);
    EXPECT_TRUE(progress && *progress == http::HeadProgress::complete) << text;
    RequestForward how;
    EXPECT_TRUE(split_target(head.target, how.target));
    how.path = how.target.path;
    how.client_address = "192.0.2.1";
    how.upgrade = upgrade;
    std::string out;
    write_request_head(out, head, how, *parse_target(url), options);
    return out;
}

std::string answered(std::string_view text, ResponseForward how = {}, const ProxyOptions& options = {}) {
    http::ResponseHead head;
    const auto progress = http::read_response_head(text, kLimits, http::AnswersHead::no, head);
    EXPECT_TRUE(progress && *progress == http::HeadProgress::complete) << text;
    std::string out;
    write_response_head(out, head, how, options);
    return out;
}

TEST(RequestHeadForward, KeepsPathQueryAndHostAndAddsForwardedFields) {
    EXPECT_EQ(
        forwarded("GET /user/a%40b//x?q=%20 HTTP/1.1\r\nHost: hub:81\r\nAccept: */*\r\n\r\n"),
        "GET /user/a%40b//x?q=%20 HTTP/1.1\r\nHost: hub:81\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.1\r\n"
        "X-Forwarded-Port: 81\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: hub:81\r\n\r\n");
}

TEST(RequestHeadForward, JoinsEveryForwardedForThatCame) {
    const auto out = forwarded(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\n"
        "X-Forwarded-Host: outer\r\n\r\n");
    EXPECT_NE(out.find("X-Forwarded-For: 1.1.1.1, 2.2.2.2,192.0.2.1\r\n"), std::string::npos) << out;
    EXPECT_NE(out.find("X-Forwarded-Host: outer\r\n"), std::string::npos) << out;
}

TEST(RequestHeadForward, KeepsTheEdgePassToItself) {
    const auto out =
        forwarded("GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; berth-edge=9.x; b=2\r\nCookie: c=3\r\n\r\n");
    EXPECT_EQ(out.find("berth-edge"), std::string::npos) << out;
    EXPECT_NE(out.find("Cookie: a=1; b=2\r\nCookie: c=3\r\n"), std::string::npos) << out;
    EXPECT_EQ(
        forwarded("GET / HTTP/1.1\r\nHost: h\r\nCookie: berth-edge=9.x\r\n\r\n").find("Cookie"),
        std::string::npos);
}

TEST(RequestHeadForward, DropsHopByHopFieldsAndThoseThatConnectionNames) {
    const auto out = forwarded(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Secret, host, close\r\nX-Secret: 1\r\nTE: x\r\n"
        "Keep-Alive: 1\r\nTrailer: t\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nX-Kept: 1\r\n\r\n");
    for (const auto* name : {"X-Secret", "TE:", "Keep-Alive", "Trailer", "Upgrade", "Connection"}) {
        EXPECT_EQ(out.find(name), std::string::npos) << name << "\n" << out;
    }
    EXPECT_NE(out.find("Host: h\r\n"), std::string::npos) << "nobody may have Host removed";
    EXPECT_NE(out.find("X-Kept: 1\r\n"), std::string::npos);
}

TEST(RequestHeadForward, WritesTheFramingThatWasDecided) {
    EXPECT_NE(
        forwarded("PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 005\r\n\r\n")
            .find("\r\nContent-Length: 5\r\n"),
        std::string::npos);
    EXPECT_NE(
        forwarded("PUT / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: Chunked\r\n\r\n")
            .find("\r\nTransfer-Encoding: chunked\r\n"),
        std::string::npos);
    EXPECT_NE(
        forwarded("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n").find("\r\nContent-Length: 0\r\n"),
        std::string::npos);
}

TEST(RequestHeadForward, PutsTheTargetsPathBefore) {
    EXPECT_EQ(
        forwarded("GET /bar?x HTTP/1.1\r\nHost: h\r\n\r\n", {}, "http://t/foo?y=1").substr(0, 30),
        "GET /foo/bar?x&y=1 HTTP/1.1\r\nH");
    ProxyOptions options;
    options.prepend_path = false;
    EXPECT_EQ(
        forwarded("GET /bar?x HTTP/1.1\r\nHost: h\r\n\r\n", options, "http://t/foo?y=1").substr(0, 22),
        "GET /bar?x HTTP/1.1\r\nH");
}

TEST(RequestHeadForward, AbsoluteFormBecomesOriginForm) {
    EXPECT_EQ(
        forwarded("GET http://h?x HTTP/1.1\r\nHost: h\r\n\r\n").substr(0, 25), "GET /?x HTTP/1.1\r\nHost: h");
    RequestTarget parts;
    for (const auto* bad : {"", "h:80", "https://h/", "http://", "http:///x"})
        EXPECT_FALSE(split_target(bad, parts)) << bad;
}

TEST(RequestHeadForward, UpgradesSayWs) {
    const auto out = forwarded(
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
        {},
        "http://t",
        IsUpgrade::yes);
    EXPECT_NE(out.find("X-Forwarded-Proto: ws\r\n"), std::string::npos);
    EXPECT_EQ(out.find("X-Forwarded-Host"), std::string::npos);
    EXPECT_NE(out.find("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), std::string::npos);
}

TEST(RequestHeadForward, OffersNothingButWebsockets) {
    const auto out = forwarded(
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c, websocket\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        {},
        "http://t:1",
        IsUpgrade::yes);
    EXPECT_EQ(out.find("h2c"), std::string::npos);
    EXPECT_EQ(out.find("HTTP2-Settings"), std::string::npos);
    EXPECT_NE(out.find("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), std::string::npos);
}

TEST(ResponseHeadForward, RewritesConnectionAndLength) {
    EXPECT_EQ(
        answered(
            "HTTP/1.0 200 Fine\r\nContent-Length: 3\r\nConnection: close, X-A\r\nX-A: 1\r\nSet-Cookie: a\r\n"
            "Set-Cookie: b\r\n\r\n"),
        "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 3\r\nConnection: "
        "keep-alive\r\n\r\n");
    EXPECT_EQ(
        answered("HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n"),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n");
    ResponseForward old;
    old.dechunk = true;
    old.keep_alive = KeepAlive::no;
    EXPECT_EQ(
        answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", old),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(
        answered("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
}

TEST(ResponseHeadForward, RewritesLocationsOfTheTargetOnly) {
    const auto target = *parse_target("http://10.0.0.1:8888");
    ProxyOptions options;
    options.auto_rewrite = true;
    options.protocol_rewrite = "https";
    ResponseForward how;
    how.to = &target;
    how.host = "hub.org";
    const auto location = [&](std::string_view value) {
        const auto out =
            answered("HTTP/1.1 302 Found\r\nLocation: " + std::string(value) + "\r\n\r\n", how, options);
        const auto at = out.find("Location: ") + 10;
        return out.substr(at, out.find("\r\n", at) - at);
    };
    EXPECT_EQ(location("http://10.0.0.1:8888/x?y"), "https://hub.org/x?y");
    EXPECT_EQ(location("http://elsewhere/x"), "http://elsewhere/x");
    EXPECT_EQ(location("/local"), "/local");
}

TEST(CustomHeader, IsNameColonValue) {
    EXPECT_EQ(parse_custom_header("K: a:b")->second, "a:b");
    EXPECT_NE(parse_custom_header("none").error().message.find("A colon was expected"), std::string::npos);
    EXPECT_FALSE(parse_custom_header("K: a\r\nX: y"));
    EXPECT_FALSE(parse_custom_header("a b: c"));
}

}  // namespace
}  // namespace berth::proxy
