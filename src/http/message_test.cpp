#include "http/message.hpp"

#include <gtest/gtest.h>

namespace berth::http {
namespace {

Request request_for(std::string target) {
    Request request;
    request.target = std::move(target);
    return request;
}

TEST(Headers, CompareWithoutCaseAndKeepOrder) {
    Headers headers{{"Accept", "a"}, {"X-One", "1"}, {"accept", "b"}};
    EXPECT_EQ(headers.find("ACCEPT"), "a");
    EXPECT_EQ(headers.all("accept"), (std::vector<std::string_view>{"a", "b"}));
    headers.set("Accept", "c");
    EXPECT_EQ(headers.all("accept"), (std::vector<std::string_view>{"c"}));
    headers.remove("x-one");
    EXPECT_EQ(headers.size(), 1U);
    EXPECT_FALSE(headers.find("X-One").has_value());
}

TEST(Methods, AreCaseSensitive) {
    EXPECT_EQ(method_named("DELETE"), Method::del);
    EXPECT_EQ(method_named("delete"), Method::other);
    EXPECT_EQ(name_of(Method::patch), "PATCH");
}

TEST(RequestTarget, IsSplitUndecoded) {
    const auto request = request_for("/user/a%40b//x?next=%2Fhub%2F&q=a+b&flag&q=2");
    EXPECT_EQ(request.path(), "/user/a%40b//x");
    EXPECT_EQ(request.query(), "next=%2Fhub%2F&q=a+b&flag&q=2");
    EXPECT_EQ(request.query_value("next"), "/hub/");
    EXPECT_EQ(request.query_value("q"), "a b");
    EXPECT_EQ(request.query_value("flag"), "");
    EXPECT_FALSE(request.query_value("absent").has_value());
    EXPECT_EQ(request.query_values().size(), 4U);
    EXPECT_EQ(request_for("/a").query(), "");
    EXPECT_FALSE(request_for("/a?").query_value("").has_value());
}

TEST(RequestTarget, MayBeInAbsoluteForm) {
    EXPECT_EQ(request_for("http://h:80/hub/api?x=1").path(), "/hub/api");
    EXPECT_EQ(request_for("http://h:80/hub/api?x=1").query_value("x"), "1");
    EXPECT_EQ(request_for("http://h").path(), "/");
    EXPECT_EQ(request_for("http://h?x=/y").path(), "/");
    EXPECT_EQ(request_for("*").path(), "*");
}

TEST(Cookies, AreFoundInAllHeadersAndUnquoted) {
    Request request;
    request.headers.add("Cookie", "_xsrf=one; session=\"a b\"; broken; empty=");
    request.headers.add("cookie", "_xsrf=two;jupyterhub-user-a%40b=2|1:0|x==");
    EXPECT_EQ(request.cookie("_xsrf"), "one");
    EXPECT_EQ(request.cookies("_xsrf"), (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(request.cookie("session"), "a b");
    EXPECT_EQ(request.cookie("empty"), "");
    EXPECT_EQ(request.cookie("jupyterhub-user-a%40b"), "2|1:0|x==");
    EXPECT_FALSE(request.cookie("broken").has_value());
}

TEST(ForwardedHeaders, AreBelievedOnlyFromOurProxy) {
    Request request;
    request.peer_address = "10.0.0.9";
    request.headers.add("X-Forwarded-Proto", "https,http");
    request.headers.add("X-Forwarded-For", "1.1.1.1, 2.2.2.2");
    EXPECT_EQ(request.browser_scheme(), "http");
    EXPECT_EQ(request.client_address(), "10.0.0.9");
    request.from_proxy = true;
    EXPECT_EQ(request.browser_scheme(), "https");
    EXPECT_EQ(request.client_address(), "2.2.2.2");
    const std::vector<net::AddressRange> in_front{net::AddressRange::parse("2.2.2.0/24").value()};
    request.trusted_proxies = &in_front;
    EXPECT_EQ(request.client_address(), "1.1.1.1") << "a reverse proxy of the configuration is no client";
}

TEST(ForwardedHeaders, TakeTheSchemeInTheOrderOfTheContract) {
    Request request;
    request.from_proxy = true;
    EXPECT_EQ(request.browser_scheme(), "http");
    request.headers.set("X-Forwarded-Proto", "wss");
    EXPECT_EQ(request.browser_scheme(), "https");
    request.headers.set("X-Scheme", "http");
    EXPECT_EQ(request.browser_scheme(), "http");
    request.headers.set("Forwarded", "for=1.1.1.1;Proto=\"https\", proto=http");
    EXPECT_EQ(request.browser_scheme(), "https");
}

TEST(ForwardedHeaders, SkipAReverseProxyOnTheSameMachine) {
    Request request;
    request.from_proxy = true;
    request.headers.set("X-Forwarded-For", "6.6.6.6, 1.2.3.4:5678, 127.0.0.1");
    EXPECT_EQ(request.client_address(), "1.2.3.4");
    request.headers.set("X-Forwarded-For", "[2001:db8::1]:99, ::1");
    EXPECT_EQ(request.client_address(), "2001:db8::1");
    request.headers.set("X-Forwarded-For", "127.0.0.1");
    EXPECT_EQ(request.client_address(), "127.0.0.1");
    request.headers.remove("X-Forwarded-For");
    request.headers.set("X-Real-Ip", "7.7.7.7");
    EXPECT_EQ(request.client_address(), "7.7.7.7");
}

TEST(SetCookie, WritesAllAttributes) {
    Cookie cookie;
    cookie.name = "jupyterhub-hub-login";
    cookie.value = "2|1:0|x";
    cookie.path = "/hub/";
    cookie.secure = true;
    EXPECT_EQ(set_cookie(cookie), "jupyterhub-hub-login=2|1:0|x; Path=/hub/; HttpOnly; Secure; SameSite=Lax");
    cookie.http_only = false;
    cookie.secure = false;
    cookie.same_site = "";
    cookie.max_age_seconds = 0;
    EXPECT_EQ(
        set_cookie(cookie),
        "jupyterhub-hub-login=2|1:0|x; Path=/hub/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(SetCookie, CannotBeBrokenOutOf) {
    Cookie cookie;
    cookie.name = "a";
    cookie.value = "b; Domain=evil\r\nSet-Cookie: c=d";
    EXPECT_EQ(set_cookie(cookie), "a=b_ Domain=evil__Set-Cookie: c=d; Path=/; HttpOnly; SameSite=Lax");
}

TEST(Reasons, CoverWhatStrictClientsLookUp) {
    EXPECT_EQ(reason_phrase(200), "OK");
    EXPECT_EQ(reason_phrase(100), "Continue");
    EXPECT_EQ(reason_phrase(424), "Failed Dependency");
    EXPECT_EQ(reason_phrase(505), "HTTP Version Not Supported");
    EXPECT_EQ(reason_phrase(299), "Unknown");
    EXPECT_EQ(reason_phrase(999), "Unknown");
}

Request form_request(std::string type, std::string body) {
    Request request;
    request.headers.add("Content-Type", std::move(type));
    request.body = std::move(body);
    return request;
}

TEST(Forms, AreReadUrlencoded) {
    const auto form = parse_form(form_request(
        "application/x-www-form-urlencoded; charset=UTF-8", "username=M%C3%BC+ller&password=a%26b&x&&"));
    ASSERT_TRUE(form.has_value());
    EXPECT_EQ(form_value(*form, "username"), "M\xC3\xBC ller");
    EXPECT_EQ(form_value(*form, "password"), "a&b");
    EXPECT_EQ(form_value(*form, "x"), "");
    EXPECT_FALSE(form_value(*form, "y").has_value());
}

constexpr std::string_view kMultipart =
    "preamble\r\n--X-y\r\nContent-Disposition: form-data; name=\"profile\"\r\n\r\ngpu\r\nsmall\r\n"
    "--X-y  \r\nContent-Disposition: form-data; name=\"up%22load\"; filename=\"a \\\"b\\\".txt\"\r\n"
    "Content-Type: text/plain\r\n\r\n--X-no\r\n"
    "--X-y\r\ncontent-disposition: form-data; filename=; name=empty\r\n\r\n\r\n--X-y--\r\nepilogue";

TEST(Forms, AreReadMultipart) {
    const auto form =
        parse_form(form_request("multipart/form-data; boundary=\"X-y\"", std::string(kMultipart)));
    ASSERT_TRUE(form.has_value());
    ASSERT_EQ(form->size(), 3U);
    EXPECT_EQ((*form)[0].name, "profile");
    EXPECT_EQ((*form)[0].value, "gpu\r\nsmall");
    EXPECT_EQ((*form)[1].name, "up\"load");
    EXPECT_EQ((*form)[1].file_name, "a \"b\".txt");
    EXPECT_EQ((*form)[1].value, "--X-no");
    EXPECT_EQ((*form)[2].name, "empty");
    EXPECT_EQ((*form)[2].value, "");
}

TEST(Forms, RefuseAMultipartBodyCutAnywhere) {
    const auto complete = kMultipart.find("--X-y--") + 7;
    for (std::size_t length = 0; length < complete; ++length) {
        const auto cut = kMultipart.substr(0, length);
        EXPECT_FALSE(
            parse_form(form_request("multipart/form-data; boundary=X-y", std::string(cut))).has_value())
            << length;
    }
}

TEST(Forms, AreNotGuessedFromOtherTypes) {
    EXPECT_FALSE(parse_form(form_request("application/json", "a=b")).has_value());
    EXPECT_FALSE(parse_form(form_request("multipart/form-data", "--\r\n")).has_value());
    EXPECT_FALSE(parse_form(Request{}).has_value());
}

}  // namespace
}  // namespace berth::http
