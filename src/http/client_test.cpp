#include "http/impl/loop_test_support.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;

// What a pretended server says on one connection: one answer a request, then it closes.
using Script = std::vector<std::string>;

struct ClientTest : test::LoopTest {
    std::vector<std::string> asked;
    net::Endpoint to;

    void pretend(std::vector<Script> connections);
    void run_send(
        ClientRequest request,
        std::function<void(Result<ClientResponse>)> check,
        std::size_t max_body = 1000);
};

awaitable<> speak(net::Socket accepted, Script script, std::vector<std::string>& asked) {
    net::TimedSocket socket(std::move(accepted));
    std::vector<char> buffer(64 * 1024);
    for (const auto& answer : script) {
        std::string request;
        while (request.find("\r\n\r\n") == std::string::npos) {
            const auto got = co_await socket.read_some(asio::buffer(buffer), Deadline::in(1s));
            if (got.failure) co_return;
            request.append(buffer.data(), got.bytes);
        }
        asked.push_back(request);
        if (answer == "hang") co_await sleep_for(10s);
        const net::TimedSocket::Pieces pieces{answer, {}, {}};
        co_await socket.write(pieces, 1s);
    }
}

awaitable<> pretend_all(
    net::Listener listener, std::vector<Script> connections, std::vector<std::string>& asked) {
    for (auto& script : connections) {
        auto accepted = co_await listener.accept();
        co_await speak(std::move(*accepted), script, asked);
    }
}

void ClientTest::pretend(std::vector<Script> connections) {
    net::Endpoint at;
    at.host = "127.0.0.1";
    auto listener = net::Listener::open(io.get_executor(), at);
    ASSERT_TRUE(listener.has_value());
    to = listener->local();
    scope.spawn(
        "pretender", OnStop::cancel, pretend_all(std::move(*listener), std::move(connections), asked));
}

ClientRequest get(std::string target) {
    ClientRequest request;
    request.target = std::move(target);
    return request;
}

awaitable<> send_one(
    net::Endpoint to,
    ClientRequest request,
    std::function<void(Result<ClientResponse>)> check,
    std::size_t max_body) {
    Client client(std::move(to), max_body);
    auto answer = co_await client.send(std::move(request), Deadline::in(50ms));
    check(std::move(answer));
}

void ClientTest::run_send(
    ClientRequest request, std::function<void(Result<ClientResponse>)> check, std::size_t max_body) {
    run(send_one(to, std::move(request), std::move(check), max_body));
}

struct Answer {
    std::string_view name, text, body;
    unsigned status;
};

constexpr Answer kAnswers[] = {
    {"Length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", 200},
    {"Chunked",
     "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
     "abc",
     404},
    {"UntilClose", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", 200},
    {"AfterContinue",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\n"
     "Content-Length: 3\r\n\r\nabc",
     "abc",
     201},
    {"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", "", 204},
};

class Answered : public ClientTest, public testing::WithParamInterface<Answer> {};

TEST_P(Answered, IsReadToItsEnd) {
    pretend({{std::string(GetParam().text)}});
    run_send(get("/x?y"), [](Result<ClientResponse> answer) {
        ASSERT_TRUE(answer.has_value()) << answer.error().message << answer.error().detail;
        EXPECT_EQ(answer->status, GetParam().status);
        EXPECT_EQ(answer->body, GetParam().body);
    });
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0], "GET /x?y HTTP/1.1\r\nHost: " + to.to_string() + "\r\n\r\n");
}
INSTANTIATE_TEST_SUITE_P(Client, Answered, testing::ValuesIn(kAnswers), [](const auto& each) {
    return std::string(each.param.name);
});

struct Failing {
    std::string_view name, text;
    ClientErrc want;
};

constexpr Failing kFailing[] = {
    {"ClosedAtOnce", "", ClientErrc::closed_early},
    {"ClosedInHead", "HTTP/1.1 200 OK\r\nConte", ClientErrc::closed_early},
    {"ClosedInBody", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", ClientErrc::closed_early},
    {"ClosedInChunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
     ClientErrc::closed_early},
    {"Malformed",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
     ClientErrc::malformed_response},
    {"MalformedChunk",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
     ClientErrc::malformed_response},
    {"NotHttp", "SSH-2.0-OpenSSH_9.2\r\n", ClientErrc::malformed_response},
    {"TooLarge", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", ClientErrc::body_too_large},
    {"Hanging", "hang", ClientErrc::timeout},
};

class Fails : public ClientTest, public testing::WithParamInterface<Failing> {};

TEST_P(Fails, WithItsReason) {
    pretend({{std::string(GetParam().text)}});
    const auto check = [](Result<ClientResponse> answer) {
        ASSERT_FALSE(answer.has_value());
        EXPECT_TRUE(answer.error().is(GetParam().want)) << answer.error().message;
    };
    run_send(get("/"), check, 5);
}
INSTANTIATE_TEST_SUITE_P(Client, Fails, testing::ValuesIn(kFailing), [](const auto& each) {
    return std::string(each.param.name);
});

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

awaitable<> send_twice(net::Endpoint to, Method second_method, bool expect_success) {
    Client client(to);
    auto first = co_await client.send(get("/1"), Deadline::in(500ms));
    EXPECT_TRUE(first.has_value());
    ClientRequest request = get("/2");
    request.method = second_method;
    auto second = co_await client.send(std::move(request), Deadline::in(500ms));
    EXPECT_EQ(second.has_value(), expect_success);
    EXPECT_TRUE(second || second.error().is(ClientErrc::closed_early));
}

TEST_F(ClientTest, ReusesAConnection) {
    pretend({{kOk, kOk}});  // a second connection would find nobody
    run(send_twice(to, Method::get, true));
    EXPECT_EQ(asked.size(), 2U);
}

TEST_F(ClientTest, SendsASafeRequestAgainWhenAReusedConnectionDies) {
    pretend({{kOk, ""}, {kOk}});
    run(send_twice(to, Method::get, true));
    EXPECT_EQ(asked.size(), 3U);
}

TEST_F(ClientTest, SendsAnUnsafeRequestOnlyOnce) {
    pretend({{kOk, ""}, {kOk}});
    run(send_twice(to, Method::post, false));
    EXPECT_EQ(asked.size(), 2U);
}

TEST_F(ClientTest, DoesNotRepeatWhatWasPartlyAnswered) {
    pretend({{kOk, "HTTP/1.1 2"}, {kOk}});
    run(send_twice(to, Method::get, false));
    EXPECT_EQ(asked.size(), 2U);
}

awaitable<> send_after_close(net::Endpoint to, const std::vector<std::string>& asked) {
    Client client(to);
    auto first = co_await client.send(get("/1"), Deadline::in(500ms));
    EXPECT_TRUE(first.has_value());
    co_await sleep_for(5ms);  // the pretender closes meanwhile
    ClientRequest request = get("/2");
    request.method = Method::post;
    request.body = "x";
    auto second = co_await client.send(std::move(request), Deadline::in(500ms));
    EXPECT_TRUE(second.has_value());
    EXPECT_EQ(asked.size(), 2U);
}

TEST_F(ClientTest, DoesNotUseAConnectionThatThePeerClosed) {
    pretend({{kOk}, {kOk}});
    run(send_after_close(to, asked));
}

TEST_F(ClientTest, SaysThatNobodyAnswers) {
    net::Endpoint at;
    at.host = "127.0.0.1";
    to = net::Listener::open(io.get_executor(), at)->local();  // closed again
    run_send(get("/"), [](Result<ClientResponse> answer) {
        ASSERT_FALSE(answer.has_value());
        EXPECT_TRUE(answer.error().is(ClientErrc::unreachable));
    });
}

awaitable<Response> long_answer(Request request) {
    co_return Response::text(200, request.body + std::string(3'000'000, 'y'));
}

awaitable<> send_much(net::Endpoint to) {
    Client client(to);
    ClientRequest request = get("/");
    request.method = Method::put;
    request.body = std::string(900'000, 'x');
    auto answer = co_await client.send(std::move(request), Deadline::in(5s));
    EXPECT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body.size(), 3'900'000U);
}

TEST_F(ClientTest, MovesLargeBodiesOverAUnixSocket) {
    net::Endpoint at;
    at.path = testing::TempDir() + "berth-client-test.sock";
    serve_at(at, long_answer);
    run(send_much(endpoint()));
    EXPECT_NE(::access(at.path.c_str(), F_OK), 0);  // stopped: its file is gone
}

awaitable<> cancelled_send(net::Endpoint to, bool& threw) {
    Client client(to);
    try {
        (void)co_await client.send(get("/"), Deadline::in(5s));
    } catch (const boost::system::system_error& error) {
        threw = error.code() == asio::error::operation_aborted;
        throw;
    }
}

awaitable<> cancel_sender(
    asio::any_io_executor executor, net::Endpoint to, const std::vector<std::string>& asked, bool& threw) {
    TaskScope senders(executor, [](std::string_view, std::exception_ptr) {});
    senders.spawn("sender", OnStop::cancel, cancelled_send(to, threw));
    while (asked.empty())
        co_await sleep_for(1ms);
    co_await senders.stop(0ms);
}

TEST_F(ClientTest, EndsWhenItsCallerIsCancelled) {
    bool threw = false;
    pretend({{"hang"}});
    run(cancel_sender(io.get_executor(), to, asked, threw));
    EXPECT_TRUE(threw);
}

}  // namespace
}  // namespace berth::http
