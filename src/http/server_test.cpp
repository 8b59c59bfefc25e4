#include "http/impl/loop_test_support.hpp"

#include <gmock/gmock.h>

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::count_of;
using test::talk;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using ServerTest = test::LoopTest;

// Answers with what it was asked.
awaitable<Response> echo(Request request) {
    std::string said(name_of(request.method));
    said += " " + request.target + " " + request.body;
    co_return Response::text(200, std::move(said));
}

awaitable<> expect_answer(
    net::Endpoint to, std::string text, std::size_t fragment, std::vector<std::string> parts) {
    const auto got = co_await talk(std::move(to), std::move(text), fragment);
    for (const auto& part : parts)
        EXPECT_THAT(got, HasSubstr(part));
}

TEST_F(ServerTest, AnswersWhateverTheFragmentSize) {
    serve(echo);
    const std::string request =
        "POST /a%20b?c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
    struct Body {
        static awaitable<> run(net::Endpoint to, std::string text) {
            for (const std::size_t fragment : {1U, 2U, 3U, 7U, 4096U}) {
                const std::vector<std::string> parts{
                    "HTTP/1.1 200 OK\r\n", "Content-Length: 19\r\n", "POST /a%20b?c abcde"};
                co_await expect_answer(to, text, fragment, parts);
            }
        }
    };
    run(Body::run(endpoint(), request));
}

awaitable<> pipeline(net::Endpoint to) {
    std::string text;
    for (int i = 0; i < 20; ++i) {
        text += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nx" +
                std::to_string(10 + i);
    }
    text += "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    const auto got = co_await talk(to, text);
    EXPECT_EQ(count_of(got, "HTTP/1.1 200 OK"), 21U);
    std::size_t before = 0;
    for (int i = 0; i < 20; ++i) {
        const auto at = got.find("POST /" + std::to_string(i) + " x" + std::to_string(10 + i));
        EXPECT_NE(at, std::string::npos) << i;
        EXPECT_GT(at, before);
        before = at;
    }
    EXPECT_THAT(got, EndsWith("GET /last "));
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
    serve(echo);
    run(pipeline(endpoint()));
}

awaitable<> old_clients(net::Endpoint to) {
    const auto closed = co_await talk(to, "GET /old HTTP/1.0\r\n\r\n");
    EXPECT_THAT(closed, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(closed, HasSubstr("Connection: close\r\n"));
    const auto kept = co_await talk(
        to,
        "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        0,
        30ms);
    EXPECT_EQ(count_of(kept, "Connection: keep-alive\r\n"), 2U);
}

TEST_F(ServerTest, ServesHttp10) {
    serve(echo);
    run(old_clients(endpoint()));
}

awaitable<> head_request(net::Endpoint to) {
    const auto got = co_await talk(to, "HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(got, HasSubstr("Content-Length: 8\r\n"));
    EXPECT_THAT(got, EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, SendsNoBodyToHead) {
    serve(echo);
    run(head_request(endpoint()));
}

awaitable<Response> answer_204(Request) {
    Response response = Response::empty(204);
    response.headers.add("Location", "/a\r\nSet-Cookie: b=c");
    response.headers.add("Transfer-Encoding", "chunked");
    response.headers.add("Content-Length", "7");
    co_return response;
}

awaitable<> ask_for_204(net::Endpoint to) {
    const auto got = co_await talk(to, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(
        got,
        StartsWith("HTTP/1.1 204 No Content\r\nLocation: /a  Set-Cookie: b=c\r\nConnection: close\r\n\r\n"));
}

TEST_F(ServerTest, WritesNoLengthOfTheHandlersAndNoHeaderWithinAHeader) {
    serve(answer_204);
    run(ask_for_204(endpoint()));
}

struct Refused {
    std::string_view name, request, status;
};

const std::string kLongHead = "GET /" + std::string(70'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kLongBody =
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n" + std::string(4'000'000, 'x');
const std::string kLongChunks = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3d0900\r\n" +
                                std::string(4'000'000, 'x') + "\r\n0\r\n\r\n";

class RefusedRequest : public ServerTest, public testing::WithParamInterface<Refused> {};

awaitable<> expect_refusal(net::Endpoint to, std::string request, std::string status) {
    const auto got = co_await talk(to, request);
    EXPECT_THAT(got, StartsWith("HTTP/1.1 " + status + " "));
    EXPECT_THAT(got, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(got, HasSubstr("X-JupyterHub-Version: 6.1.1\r\n"));
    EXPECT_THAT(got, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(got, HasSubstr("\r\n\r\n{\"status\":" + status + ",\"message\":\""));
}

TEST_P(RefusedRequest, IsAnsweredAsJsonAndTheConnectionEnds) {
    limits.own_headers.add("X-JupyterHub-Version", "6.1.1");
    serve(echo);
    run(expect_refusal(endpoint(), std::string(GetParam().request), std::string(GetParam().status)));
}

INSTANTIATE_TEST_SUITE_P(
    Server,
    RefusedRequest,
    testing::Values(
        Refused{
            "Smuggling",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400"},
        Refused{"BadChunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400"},
        Refused{"Garbage", "\x16\x03\x01\x02\r\n\r\n", "400"},
        Refused{"LongHead", kLongHead, "431"},
        Refused{"LongBody", kLongBody, "413"},
        Refused{"LongChunks", kLongChunks, "413"},
        Refused{"Expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", "417"},
        Refused{"Version", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", "505"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(ServerTest, DoesNotWaitForASlowHead) {
    limits.head_timeout = 20ms;
    limits.own_headers.add("X-JupyterHub-Version", "6.1.1");
    serve(echo);
    run(expect_refusal(endpoint(), "GET / HTTP/1.1\r\nHos", "408"));
}

TEST_F(ServerTest, DoesNotWaitForASlowBody) {
    limits.body_timeout = 20ms;
    limits.own_headers.add("X-JupyterHub-Version", "6.1.1");
    serve(echo);
    run(expect_refusal(endpoint(), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabc", "408"));
}

awaitable<> stay_idle(net::Endpoint to) {
    const auto nothing = co_await talk(to, "");
    EXPECT_EQ(nothing, "");
    const auto one = co_await talk(to, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(count_of(one, "HTTP/1.1"), 1U);
}

TEST_F(ServerTest, ClosesIdleConnectionsQuietly) {
    limits.idle_timeout = 20ms;
    serve(echo);
    run(stay_idle(endpoint()));
    EXPECT_TRUE(failed.empty());
}

awaitable<Response> fail_at_once(Request) {
    throw std::runtime_error("the disk is full");
    co_return Response();
}

awaitable<> expect_error_id(net::Endpoint to) {
    testing::internal::CaptureStderr();
    const auto got = co_await talk(
        to,
        "GET /secret?token=t HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: "
        "close\r\n\r\n");
    const auto log = testing::internal::GetCapturedStderr();
    EXPECT_EQ(count_of(got, "HTTP/1.1 500 Internal Server Error"), 2U);
    EXPECT_THAT(got, Not(HasSubstr("disk")));
    const auto at = got.find("\"error_id\":\"");
    EXPECT_NE(at, std::string::npos);
    const auto id = got.substr(at + 12, 16);
    EXPECT_THAT(log, HasSubstr(id));
    EXPECT_THAT(log, HasSubstr("the disk is full"));
    EXPECT_THAT(log, HasSubstr("/secret"));
    EXPECT_THAT(log, Not(HasSubstr("token=t")));
}

TEST_F(ServerTest, NamesAFailureInAnswerAndLog) {
    serve(fail_at_once);
    run(expect_error_id(endpoint()));
}

awaitable<> expect_continue(net::Endpoint to) {
    auto connected = co_await net::connect(to, Deadline::in(1s));
    net::TimedSocket socket(std::move(*connected));
    const net::TimedSocket::Pieces head{
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-Continue\r\nConnection: "
        "close\r\n\r\n",
        {},
        {}};
    co_await socket.write(head, 1s);
    std::vector<char> buffer(1024);
    auto got = co_await socket.read_some(asio::buffer(buffer), Deadline::in(1s));
    EXPECT_EQ(std::string(buffer.data(), got.bytes), "HTTP/1.1 100 Continue\r\n\r\n");
    const net::TimedSocket::Pieces body{"abc", {}, {}};
    co_await socket.write(body, 1s);
    got = co_await socket.read_some(asio::buffer(buffer), Deadline::in(1s));
    EXPECT_THAT(std::string(buffer.data(), got.bytes), EndsWith("POST / abc"));
}

TEST_F(ServerTest, AsksForABodyThatWaits) {
    serve(echo);
    run(expect_continue(endpoint()));
}

TEST_F(ServerTest, RefusesConnectionsOverTheLimit) {
    limits.max_connections = 0;
    serve(echo);
    run(expect_answer(endpoint(), "", 0, {"HTTP/1.1 503 Service Unavailable\r\n", "Connection: close"}));
}

TEST_F(ServerTest, TellsTheHandlerWhoAsks) {
    Request seen;
    struct Body {
        static awaitable<Response> keep(Request request, Request& kept) {
            kept = std::move(request);
            co_return Response::empty(200);
        }
    };
    serve([&](Request request) { return Body::keep(std::move(request), seen); }, true);
    run(expect_answer(
        endpoint(),
        "DELETE /hub/api HTTP/1.1\r\nHost: h:1\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n",
        0,
        {"200 OK"}));
    EXPECT_EQ(seen.method, Method::del);
    EXPECT_EQ(seen.peer_address, "127.0.0.1");
    EXPECT_EQ(seen.client_address(), "9.9.9.9");
    EXPECT_EQ(seen.host(), "h:1");
}

}  // namespace
}  // namespace berth::http
