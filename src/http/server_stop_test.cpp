// What a server that stops still does for who has asked, is asking or has only connected: a hub is reloaded
// while people work, and nobody is to notice.
#include "async/notifier.hpp"
#include "http/impl/loop_test_support.hpp"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::talk;
using testing::EndsWith;
using testing::HasSubstr;

constexpr std::string_view kRequest = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

struct ServerStopTest : test::LoopTest {};

awaitable<Response> echo_target(Request request) {
    co_return Response::text(200, "you asked " + request.target);
}

awaitable<Response> answer_with(Response response) {
    co_return response;
}

awaitable<Response> answer_when_told(Notifier& go, int& asked) {
    ++asked;
    co_await go.wait();
    co_return Response::text(200, "done");
}

awaitable<> ask_while_stopping(net::Endpoint to, std::string text, std::string& got) {
    got = co_await talk(to, std::move(text));
}

awaitable<> stop_while_asked(
    ServerStopTest& test, std::string text, Notifier& go, const int& asked, std::string& got) {
    test.tests.spawn("client", OnStop::cancel, ask_while_stopping(test.endpoint(), std::move(text), got));
    while (asked == 0)
        co_await sleep_for(1ms);
    struct Teller {
        static awaitable<> tell(Notifier& notifier) {
            co_await sleep_for(10ms);
            notifier.notify_all();
        }
    };
    test.tests.spawn("teller", OnStop::cancel, Teller::tell(go));
    co_await test.scope.stop(2s);
    while (got.empty())
        co_await sleep_for(1ms);
}

TEST_F(ServerStopTest, FinishesAnAnswerWhenStoppedAndThenCloses) {
    Notifier go(io.get_executor());
    int asked = 0;
    std::string got;
    serve([&](Request) { return answer_when_told(go, asked); });
    run(stop_while_asked(*this, std::string(kRequest), go, asked, got));
    EXPECT_THAT(got, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(got, EndsWith("done"));
}

awaitable<> write_nothing(BodyWriter&) {
    co_return;
}

// A stream is ended by a stop at once; what is asked behind it on the same connection is not.
TEST_F(ServerStopTest, FinishesAnAnswerBehindAStream) {
    Notifier go(io.get_executor());
    int asked = 0;
    std::string got;
    serve([&](const Request& request) -> awaitable<Response> {
        if (request.target == "/a") return answer_when_told(go, asked);
        Response streamed;
        streamed.stream = write_nothing;
        return answer_with(std::move(streamed));
    });
    run(stop_while_asked(
        *this, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(kRequest), go, asked, got));
    EXPECT_THAT(got, EndsWith("done"));
}

TEST_F(ServerStopTest, StopsAtOnceWhenConnectionsAreIdle) {
    struct Body {
        static awaitable<> run(TaskScope& scope, net::Endpoint to) {
            auto connected = co_await net::connect(to, Deadline::in(1s));
            co_await sleep_for(5ms);
            EXPECT_EQ(scope.live(), 2U);
            const auto begin = std::chrono::steady_clock::now();
            co_await scope.stop(5s);
            EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
        }
    };
    serve(echo_target);
    run(Body::run(scope, endpoint()));
}

awaitable<std::string> read_all(net::TimedSocket& socket) {
    std::string got;
    std::vector<char> buffer(4096);
    for (;;) {
        const auto transfer = co_await socket.read_some(asio::buffer(buffer), Deadline::in(1s));
        got.append(buffer.data(), transfer.bytes);
        if (transfer.failure == asio::error::eof) co_return got;
        if (transfer.failure) co_return got + " then " + transfer.failure.message();
    }
}

awaitable<> write_all(net::TimedSocket& socket, std::string_view text) {
    const net::TimedSocket::Pieces pieces{text, {}, {}};
    EXPECT_EQ(co_await socket.write(pieces, 1s), error_code());
}

// Connects, sends the first `early` bytes of a request, begins to stop the server, sends the rest.
awaitable<> ask_across_the_stop(
    TaskScope& scope, TaskScope& tests, net::Endpoint to, std::size_t early, std::string& got) {
    auto connected = co_await net::connect(std::move(to), Deadline::in(1s));
    net::TimedSocket socket(std::move(*connected));
    co_await write_all(socket, kRequest.substr(0, early));
    co_await sleep_for(10ms);
    tests.spawn("stop", OnStop::cancel, scope.stop(2s));
    co_await sleep_for(10ms);
    co_await write_all(socket, kRequest.substr(early));
    got = co_await read_all(socket);
}

struct ServerStopWithBytes : ServerStopTest, testing::WithParamInterface<std::size_t> {};

TEST_P(ServerStopWithBytes, AnswersWhatWasUnderWay) {
    std::string got;
    serve(echo_target);
    run(ask_across_the_stop(scope, tests, endpoint(), GetParam(), got));
    EXPECT_THAT(got, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(got, EndsWith("you asked /a"));
}

INSTANTIATE_TEST_SUITE_P(SentBefore, ServerStopWithBytes, testing::Values(0, 1, 20));

// Without the loop: the server has not looked yet.
int connect_and_ask(const net::Endpoint& to) {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::send(client, kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
    return client;
}

using Pair = asio::local::stream_protocol::socket;

awaitable<> stop_when_told(TaskScope& scope, Pair& pair) {
    char byte = 0;
    (void)co_await pair.async_read_some(asio::buffer(&byte, 1), as_tuple);
    co_await scope.stop(2s);
}

// In one turn of the loop the listener is ready with many, and then whoever stops it.
awaitable<> stop_amid_a_burst(
    TaskScope& scope, TaskScope& tests, net::Endpoint to, std::vector<int>& clients) {
    const auto loop = co_await asio::this_coro::executor;
    Pair near(loop);
    Pair far(loop);
    asio::local::connect_pair(near, far);
    tests.spawn("stop", OnStop::cancel, stop_when_told(scope, far));
    co_await sleep_for(10ms);
    for (int i = 0; i < 8; ++i)
        clients.push_back(connect_and_ask(to));
    near.write_some(asio::buffer("x", 1));
    while (scope.live() > 0)
        co_await sleep_for(5ms);
}

TEST_F(ServerStopTest, ResetsNobodyWhoseConnectionWasTaken) {
    std::vector<int> clients;
    serve(echo_target);
    const int successor = server->listener().share().descriptor;  // who was not taken waits for it
    run(stop_amid_a_burst(scope, tests, endpoint(), clients));
    std::size_t answered = 0;
    for (const int client : clients) {
        std::string got(1000, '\0');
        const auto size = ::recv(client, got.data(), got.size(), MSG_DONTWAIT);
        if (size > 0) {
            got.resize(static_cast<std::size_t>(size));
            EXPECT_THAT(got, EndsWith("you asked /a"));
            ++answered;
        } else {
            EXPECT_TRUE(size < 0 && errno == EAGAIN) << "closed without an answer: " << size;
        }
        ::close(client);
    }
    EXPECT_GT(answered, 0U);
    ::close(successor);
}

}  // namespace
}  // namespace berth::http
