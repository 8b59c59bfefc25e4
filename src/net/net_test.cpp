#include "async/task_scope.hpp"
#include "net/listener.hpp"
#include "net/timed_socket.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace berth::net {
namespace {

using namespace std::chrono_literals;

TEST(Endpoint, IsReadInAllItsForms) {
    struct Case {
        std::string_view text, host;
        std::uint16_t port;
        std::string_view path, written;
    };
    constexpr Case kCases[] = {
        {"127.0.0.1:8000", "127.0.0.1", 8000, "", "127.0.0.1:8000"},
        {"[::1]:8000", "::1", 8000, "", "[::1]:8000"},
        {"*:8000", "*", 8000, "", "*:8000"},
        {":8000", "", 8000, "", "*:8000"},
        {"hub.example.org:0", "hub.example.org", 0, "", "hub.example.org:0"},
        {"unix:/run/x.sock", "", 0, "/run/x.sock", "unix:/run/x.sock"},
    };
    for (const auto& [text, host, port, path, written] : kCases) {
        SCOPED_TRACE(text);
        const auto endpoint = parse_endpoint(text);
        ASSERT_TRUE(endpoint.has_value());
        EXPECT_EQ(endpoint->host, host);
        EXPECT_EQ(endpoint->port, port);
        EXPECT_EQ(endpoint->path, path);
        EXPECT_EQ(endpoint->to_string(), written);
        EXPECT_EQ(endpoint->is_unix(), !path.empty());
    }
}

TEST(Endpoint, IsRefusedWhenMalformed) {
    for (const auto* text :
         {"",
          "host",
          "host:",
          "host:x",
          "host:65536",
          "host:-1",
          "::1:80",
          "[::1]",
          "[::1",
          "[]:1",
          "[::1]80",
          "a b:1",
          "http://h:1",
          "unix:",
          "unix:x",
          "h:80/",
          "me@h:80"}) {
        SCOPED_TRACE(text);
        const auto endpoint = parse_endpoint(text);
        ASSERT_FALSE(endpoint.has_value());
        EXPECT_TRUE(endpoint.error().is(NetErrc::malformed_address));
    }
    EXPECT_FALSE(parse_endpoint("unix:/" + std::string(107, 'x')).has_value());
    EXPECT_TRUE(parse_endpoint("unix:/" + std::string(106, 'x')).has_value());
}

TEST(HttpUrl, IsSplit) {
    struct Case {
        std::string_view text, endpoint, path;
    };
    constexpr Case kCases[] = {
        {"http://127.0.0.1:8000", "127.0.0.1:8000", "/"},
        {"http://h", "h:80", "/"},
        {"HTTP://h:1/a/b?c=d", "h:1", "/a/b?c=d"},
        {"http://:8000/hub/", "*:8000", "/hub/"},
        {"http://[::1]:8000/x", "[::1]:8000", "/x"},
        {"http://h?x=1", "h:80", "/?x=1"},
    };
    for (const auto& [text, endpoint, path] : kCases) {
        SCOPED_TRACE(text);
        const auto url = parse_http_url(text);
        ASSERT_TRUE(url.has_value());
        EXPECT_EQ(url->endpoint.to_string(), endpoint);
        EXPECT_EQ(url->path, path);
        EXPECT_EQ(url->scheme, "http");
    }
    const auto secure = parse_http_url("https://h/x");
    ASSERT_TRUE(secure.has_value());
    EXPECT_EQ(secure->scheme, "https");
    EXPECT_EQ(secure->endpoint.to_string(), "h:443");
    for (const auto* text :
         {"",
          "h:80",
          "ftp://h",
          "http://",
          "http:///x",
          "http://u@h/",
          "http://h:x/",
          "http://h:/",
          "http://h/a b",
          "http://h/#f",
          "http://[::1/"}) {
        SCOPED_TRACE(text);
        EXPECT_FALSE(parse_http_url(text).has_value());
    }
}

struct ListenerTest : testing::Test {
    asio::io_context io;
    std::exception_ptr failure;
    TaskScope tests{
        io.get_executor(), [this](std::string_view, std::exception_ptr thrown) { failure = thrown; }};
    std::string path = testing::TempDir() + "berth-listener-test-" + std::to_string(::getpid()) + ".sock";

    Result<Listener> open(std::string_view at, ReusePort reuse = ReusePort::no) {
        return Listener::open(io.get_executor(), *parse_endpoint(at), reuse);
    }
    void run(awaitable<> body) {
        tests.spawn("test", OnStop::cancel, std::move(body));
        io.run();
        if (failure) std::rethrow_exception(failure);
    }
    bool exists() const { return ::access(path.c_str(), F_OK) == 0; }
    ~ListenerTest() override { ::unlink(path.c_str()); }
};

awaitable<> meet(Listener& listener, Endpoint to, std::string expected_peer) {
    auto outgoing = co_await connect(std::move(to), Deadline::in(1s));
    EXPECT_TRUE(outgoing.has_value()) << outgoing.error().message;
    if (!outgoing) co_return;
    auto incoming = co_await listener.accept();
    EXPECT_TRUE(incoming.has_value());
    EXPECT_EQ(peer_address(*incoming), expected_peer);
}

TEST_F(ListenerTest, TakesAFreePortAndSaysWhich) {
    auto listener = open("127.0.0.1:0");
    ASSERT_TRUE(listener.has_value());
    EXPECT_NE(listener->local().port, 0);
    run(meet(*listener, listener->local(), "127.0.0.1"));
}

TEST_F(ListenerTest, OnAllInterfacesSeesIpv4PeersAsSuch) {
    auto listener = open("*:0");
    ASSERT_TRUE(listener.has_value());
    Endpoint to;
    to.host = "127.0.0.1";
    to.port = listener->local().port;
    run(meet(*listener, to, "127.0.0.1"));
    io.restart();
    to.host = "localhost";
    run(meet(*listener, to, "127.0.0.1"));
}

TEST_F(ListenerTest, RefusesAPortThatIsTaken) {
    auto first = open("127.0.0.1:0");
    const auto second = open(first->local().to_string());
    ASSERT_FALSE(second.has_value());
    EXPECT_TRUE(second.error().is(NetErrc::address_in_use));
    EXPECT_NE(second.error().message.find(first->local().to_string()), std::string::npos);
}

TEST_F(ListenerTest, SharesAPortWhenAsked) {
    auto first = open("127.0.0.1:0", ReusePort::yes);
    EXPECT_TRUE(open(first->local().to_string(), ReusePort::yes).has_value());
    EXPECT_FALSE(open(first->local().to_string(), ReusePort::no).has_value());
}

TEST_F(ListenerTest, RefusesAnAddressOfAnotherMachine) {
    const auto listener = open("203.0.113.1:0");
    ASSERT_FALSE(listener.has_value());
    EXPECT_TRUE(listener.error().is(NetErrc::address_unusable));
}

TEST_F(ListenerTest, RemovesItsSocketFile) {
    {
        auto listener = open("unix:" + path);
        ASSERT_TRUE(listener.has_value());
        EXPECT_TRUE(exists());
        Listener moved = std::move(*listener);
        EXPECT_TRUE(exists());
        run(meet(moved, moved.local(), ""));
    }
    EXPECT_FALSE(exists());
}

TEST_F(ListenerTest, TakesOverAStaleSocketFile) {
    {
        asio::local::stream_protocol::acceptor left(io, asio::local::stream_protocol::endpoint(path));
    }
    ASSERT_TRUE(exists());  // as after kill -9
    auto listener = open("unix:" + path);
    ASSERT_TRUE(listener.has_value());
    run(meet(*listener, listener->local(), ""));
}

TEST_F(ListenerTest, LeavesALiveSocketAndAPlainFileAlone) {
    {
        auto live = open("unix:" + path);
        const auto second = open("unix:" + path);
        ASSERT_FALSE(second.has_value());
        EXPECT_TRUE(second.error().is(NetErrc::address_in_use));
        EXPECT_TRUE(exists());
    }
    std::ofstream(path) << "precious";
    EXPECT_FALSE(open("unix:" + path).has_value());
    EXPECT_TRUE(exists());
}

TEST_F(ListenerTest, LeavesTheFileOfItsSuccessorAlone) {
    auto first = open("unix:" + path);
    ::unlink(path.c_str());
    auto second = open("unix:" + path);
    ASSERT_TRUE(second.has_value());
    first->close();
    EXPECT_TRUE(exists());
}

struct FewFiles {
    explicit FewFiles(rlim_t count) {
        ::getrlimit(RLIMIT_NOFILE, &before);
        rlimit few = before;
        few.rlim_cur = count;
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    ~FewFiles() { ::setrlimit(RLIMIT_NOFILE, &before); }
    rlimit before{};
};

awaitable<> accept_into(Listener& listener, bool& accepted) {
    auto incoming = co_await listener.accept();
    accepted = incoming.has_value();
}

awaitable<> exhaust(TaskScope& tests, Listener& listener) {
    auto outgoing = co_await connect(listener.local(), Deadline::in(1s));
    EXPECT_TRUE(outgoing.has_value());
    bool accepted = false;
    {
        const FewFiles none(3);
        tests.spawn("accept", OnStop::cancel, accept_into(listener, accepted));
        co_await sleep_for(10ms);
        EXPECT_FALSE(accepted);
    }
    for (int i = 0; i < 100 && !accepted; ++i)
        co_await sleep_for(5ms);
    EXPECT_TRUE(accepted);
}

// The sanitizers need descriptors themselves and report false errors without any, so this runs in release
// only.
#ifdef __SANITIZE_ADDRESS__
[[maybe_unused]] constexpr auto kNotUnderSanitizers = &exhaust;
#else
TEST_F(ListenerTest, WaitsOutALackOfDescriptors) {
    auto listener = open("127.0.0.1:0");
    run(exhaust(tests, *listener));
}
#endif

awaitable<> expect_connect(Endpoint to, Deadline deadline, NetErrc want) {
    const auto connected = co_await connect(std::move(to), deadline);
    EXPECT_FALSE(connected.has_value());
    if (connected) co_return;
    EXPECT_TRUE(connected.error().is(want)) << connected.error().message;
}

TEST_F(ListenerTest, SaysWhyAConnectionFails) {
    Endpoint closed = open("127.0.0.1:0")->local();
    run(expect_connect(closed, Deadline::in(1s), NetErrc::connect_refused));
    io.restart();
    run(expect_connect(closed, Deadline::in(-1ms), NetErrc::connect_timeout));
    io.restart();
    Endpoint absent;
    absent.path = path;
    run(expect_connect(absent, Deadline::in(1s), NetErrc::connect_refused));
    io.restart();
    Endpoint unknown;
    unknown.host = "no-such-host.invalid";
    unknown.port = 1;
    run(expect_connect(unknown, Deadline::in(5s), NetErrc::unknown_host));
}

TEST_F(ListenerTest, GivesUpConnectingAtTheDeadline) {
    // A backlog of none that is full: the kernel leaves further connections unanswered.
    asio::ip::tcp::acceptor full(io, asio::ip::tcp::v4());
    full.bind({asio::ip::address_v4::loopback(), 0});
    full.listen(0);
    asio::ip::tcp::socket first(io);
    first.connect(full.local_endpoint());
    Endpoint to;
    to.host = "127.0.0.1";
    to.port = full.local_endpoint().port();
    run(expect_connect(to, Deadline::in(30ms), NetErrc::connect_timeout));
}

awaitable<> expect_deadlines(Listener& listener) {
    auto outgoing = co_await connect(listener.local(), Deadline::in(1s));
    auto incoming = co_await listener.accept();
    TimedSocket client(std::move(*outgoing));
    TimedSocket server(std::move(*incoming));
    std::array<char, 64> buffer{};
    auto late = co_await client.read_some(asio::buffer(buffer), Deadline::in(10ms));
    EXPECT_EQ(late.failure, asio::error::timed_out);
    EXPECT_FALSE(client.is_spent());
    // A timed out wait leaves the connection as it was; a later, longer one is not cut by the earlier timer.
    const TimedSocket::Pieces pieces{"ab", "", "c"};
    const auto written = co_await server.write(pieces, 1s);
    EXPECT_FALSE(written);
    auto got = co_await client.read_some(asio::buffer(buffer), Deadline::in(1s));
    EXPECT_EQ(std::string_view(buffer.data(), got.bytes), "abc");
    // Longer after shorter, with the shorter's timer still armed.
    late = co_await client.read_some(asio::buffer(buffer), Deadline::in(5ms));
    const auto begin = std::chrono::steady_clock::now();
    late = co_await client.read_some(asio::buffer(buffer), Deadline::in(30ms));
    EXPECT_EQ(late.failure, asio::error::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
    const std::string much(8'000'000, 'x');
    const auto stalled = co_await server.write({much, {}, {}}, 10ms);
    EXPECT_EQ(stalled, asio::error::timed_out);
    EXPECT_TRUE(client.is_spent());
}

TEST_F(ListenerTest, EveryWaitOfATimedSocketEnds) {
    auto listener = open("127.0.0.1:0");
    run(expect_deadlines(*listener));
}

}  // namespace
}  // namespace berth::net
