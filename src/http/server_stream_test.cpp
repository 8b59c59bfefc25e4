// Streamed answers: flushed piece by piece, held back by a slow reader, ended by one who leaves.
#include "async/notifier.hpp"
#include "http/impl/loop_test_support.hpp"

#include <gmock/gmock.h>

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::talk;
using testing::EndsWith;
using testing::HasSubstr;

struct StreamTest : test::LoopTest {
    Notifier go{io.get_executor()};
    int written = 0;
    bool ended = false;
    std::string end_reason;
};

awaitable<> write_two(BodyWriter& writer, Notifier& go) {
    co_await writer.write("data: 1\n\n");
    co_await go.wait();
    co_await writer.write("");
    co_await writer.write("data: 2\n\n");
}

Response streamed(std::function<awaitable<>(BodyWriter&)> stream) {
    Response response;
    response.headers.add("Content-Type", "text/event-stream");
    response.stream = std::move(stream);
    return response;
}

awaitable<Response> two_events(Notifier& go) {
    auto stream = [&go](BodyWriter& writer) { return write_two(writer, go); };
    co_return streamed(std::move(stream));
}

awaitable<> read_events(net::Endpoint to, Notifier& go) {
    Client client(to);
    for (int round = 0; round < 2; ++round) {
        ClientRequest request;
        request.target = "/progress";
        auto opened = co_await client.open(std::move(request), Deadline::in(1s));
        EXPECT_TRUE(opened.has_value());
        auto& stream = **opened;
        EXPECT_EQ(stream.headers().find("Content-Type"), "text/event-stream");
        const auto first = co_await stream.read(Deadline::in(1s));
        EXPECT_EQ(*first, "data: 1\n\n");
        go.notify_all();
        const auto second = co_await stream.read(Deadline::in(1s));
        EXPECT_EQ(*second, "data: 2\n\n");
        const auto end = co_await stream.read(Deadline::in(1s));
        EXPECT_EQ(*end, "");
    }
}

TEST_F(StreamTest, SendsEachPieceAtOnceAndKeepsTheConnection) {
    limits.max_connections = 1;  // the second request must come on the same one
    serve([this](Request) { return two_events(go); });
    run(read_events(endpoint(), go));
}

awaitable<> write_until_gone(
    BodyWriter& writer, std::string piece, std::chrono::milliseconds pause, StreamTest& test) {
    try {
        for (;;) {
            co_await writer.write(piece);
            ++test.written;
            if (pause > 0ms) co_await sleep_for(pause);
        }
    } catch (const boost::system::system_error& error) {
        test.ended = true;
        test.end_reason = error.code().message();
        throw;
    }
}

awaitable<Response> endless(std::string piece, std::chrono::milliseconds pause, StreamTest& test) {
    auto stream = [piece = std::move(piece), pause, &test](BodyWriter& writer) {
        return write_until_gone(writer, piece, pause, test);
    };
    co_return streamed(std::move(stream));
}

awaitable<> leave_after_first_bytes(net::Endpoint to, StreamTest& test) {
    {
        auto connected = co_await net::connect(to, Deadline::in(1s));
        net::TimedSocket socket(std::move(*connected));
        const net::TimedSocket::Pieces ask{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", {}, {}};
        co_await socket.write(ask, 1s);
        while (test.written == 0)
            co_await sleep_for(1ms);
        std::vector<char> buffer(64);
        co_await socket.read_some(asio::buffer(buffer), Deadline::in(1s));
    }
    for (int i = 0; i < 200 && !test.ended; ++i)
        co_await sleep_for(5ms);
    EXPECT_TRUE(test.ended);
}

TEST_F(StreamTest, EndsWhenTheReaderLeaves) {
    serve([this](Request) { return endless("data: x\n\n", 5ms, *this); });
    run(leave_after_first_bytes(endpoint(), *this));
    EXPECT_TRUE(failed.empty());
}

TEST_F(StreamTest, EndsWhenTheReaderLeavesWhileItIsHeldBack) {
    serve([this](Request) { return endless(std::string(1'000'000, 'x'), 0ms, *this); });
    run(leave_after_first_bytes(endpoint(), *this));
    EXPECT_LT(written, 40);  // the kernel's buffers, not all memory
}

awaitable<> never_read(net::Endpoint to, StreamTest& test) {
    auto connected = co_await net::connect(to, Deadline::in(1s));
    net::TimedSocket socket(std::move(*connected));
    const net::TimedSocket::Pieces ask{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", {}, {}};
    co_await socket.write(ask, 1s);
    for (int i = 0; i < 200 && !test.ended; ++i)
        co_await sleep_for(5ms);
    EXPECT_EQ(test.end_reason, error_code(asio::error::timed_out).message());
}

TEST_F(StreamTest, EndsWhenTheReaderStalls) {
    limits.write_timeout = 30ms;
    serve([this](Request) { return endless(std::string(1'000'000, 'x'), 0ms, *this); });
    run(never_read(endpoint(), *this));
}

awaitable<> stop_stream(TaskScope& scope, TaskScope& tests, net::Endpoint to, StreamTest& test) {
    struct Reader {
        static awaitable<> read(net::Endpoint from) {
            (void)co_await talk(from, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        }
    };
    tests.spawn("reader", OnStop::cancel, Reader::read(to));
    while (test.written == 0)
        co_await sleep_for(1ms);
    const auto begin = std::chrono::steady_clock::now();
    co_await scope.stop(5s);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
    EXPECT_TRUE(test.ended);
}

TEST_F(StreamTest, EndsWhenTheServerStops) {
    serve([this](Request) { return endless("data: x\n\n", 5ms, *this); });
    run(stop_stream(scope, tests, endpoint(), *this));
    EXPECT_TRUE(failed.empty());
}

awaitable<> fail_in_between(BodyWriter& writer) {
    co_await writer.write("half");
    throw std::runtime_error("lost it");
}

awaitable<Response> broken_stream(Request) {
    co_return streamed(fail_in_between);
}

awaitable<> read_broken(net::Endpoint to) {
    Client client(to);
    ClientRequest request;
    request.target = "/";
    const auto answer = co_await client.send(std::move(request), Deadline::in(1s));
    EXPECT_TRUE(!answer && answer.error().is(ClientErrc::closed_early));
}

TEST_F(StreamTest, IsCutWhenTheHandlerFails) {
    serve(broken_stream);
    run(read_broken(endpoint()));
}

awaitable<> read_as_http10(net::Endpoint to, Notifier& go) {
    struct Teller {
        static awaitable<> tell(Notifier& notifier) {
            co_await sleep_for(10ms);
            notifier.notify_all();
        }
    };
    TaskScope teller(co_await asio::this_coro::executor, [](std::string_view, std::exception_ptr) {});
    teller.spawn("teller", OnStop::cancel, Teller::tell(go));
    const auto got = co_await talk(to, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(got, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(got, EndsWith("\r\n\r\ndata: 1\n\ndata: 2\n\n"));
    co_await teller.stop(0ms);
}

TEST_F(StreamTest, EndsWithTheConnectionForHttp10) {
    serve([this](Request) { return two_events(go); });
    run(read_as_http10(endpoint(), go));
}

awaitable<> read_head_only(net::Endpoint to) {
    const auto got = co_await talk(to, "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(got, EndsWith("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
}

TEST_F(StreamTest, IsNotRunForHead) {
    serve([this](Request) { return endless("x", 0ms, *this); });
    run(read_head_only(endpoint()));
    EXPECT_EQ(written, 0);
}

}  // namespace
}  // namespace berth::http
