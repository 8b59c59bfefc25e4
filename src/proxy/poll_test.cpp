#include "proxy/poll.hpp"

#include <boost/asio/post.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

namespace berth::proxy {
namespace {

using namespace std::chrono_literals;

// A polled socket and the other end of it.
struct End final : PolledSocket::User {
    explicit End(Poll& poll) : socket(std::in_place, poll, *this) {
        std::array<int, 2> pair{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
        EXPECT_FALSE(socket->open(pair[0]));
        peer = pair[1];
    }
    ~End() { hang_up(); }

    void on_readable() override {
        ++calls;
        if (when_readable) return when_readable();
        std::string into(space, '\0');
        const auto [count, failure] = socket->receive({into.data(), into.size()});
        got.append(into, 0, count);
        if (failure == asio::error::eof) ended = true;
        if (!ended && waits_on) socket->wait_readable();
    }
    void on_writable() override { ++writable; }

    void say(std::string_view words) const {
        EXPECT_EQ(::send(peer, words.data(), words.size(), 0), ssize_t(words.size()));
    }
    void hang_up() {
        if (peer >= 0) ::close(std::exchange(peer, -1));
    }

    std::optional<PolledSocket> socket;
    int peer = -1;
    std::size_t space = 100;
    bool waits_on = true;
    std::function<void()> when_readable;
    std::string got;
    int calls = 0;
    int writable = 0;
    bool ended = false;
};

struct PollTest : testing::Test {
    void run() { loop.run_for(20ms); }

    asio::io_context loop;
    Poll poll{loop.get_executor()};
};

TEST_F(PollTest, EachMessageIsOneCall) {
    End end(poll);
    end.socket->wait_readable();
    run();
    EXPECT_EQ(end.calls, 0);
    for (const auto* words : {"one", "two", "three"}) {
        end.say(words);
        run();
    }
    EXPECT_EQ(end.got, "onetwothree");
    EXPECT_EQ(end.calls, 3);
}

TEST_F(PollTest, WhatCameBeforeAnybodyWaitedIsTold) {
    End end(poll);
    end.say("early");
    run();
    EXPECT_EQ(end.calls, 0);
    end.socket->wait_readable();
    EXPECT_EQ(end.calls, 0) << "called from inside the call";
    run();
    EXPECT_EQ(end.got, "early");
}

TEST_F(PollTest, MoreThanTheSpaceIsReadInTurns) {
    End end(poll);
    end.space = 3;
    end.socket->wait_readable();
    end.say("abcdefgh");
    run();
    EXPECT_EQ(end.got, "abcdefgh");
    end.say("ijk");  // fills the space exactly: one more call finds nothing
    run();
    end.say("l");
    run();
    EXPECT_EQ(end.got, "abcdefghijkl");
}

TEST_F(PollTest, AnEndThatComesWithTheLastBytesIsSeen) {
    End end(poll);
    end.socket->wait_readable();
    end.say("last");
    end.hang_up();
    run();
    EXPECT_EQ(end.got, "last");
    EXPECT_TRUE(end.ended);
}

TEST_F(PollTest, AnEndThatComesLaterIsSeen) {
    End end(poll);
    end.socket->wait_readable();
    end.say("last");
    run();
    EXPECT_FALSE(end.ended);
    end.hang_up();
    run();
    EXPECT_TRUE(end.ended);
}

TEST_F(PollTest, NobodyIsCalledAfterClose) {
    End one(poll);
    End two(poll);
    one.when_readable = [&] { two.socket.reset(); };
    two.when_readable = [&] { one.socket.reset(); };
    for (auto* each : {&one, &two}) {
        each->socket->wait_readable();
        each->say("both are in one batch");
    }
    run();
    EXPECT_EQ(one.calls + two.calls, 1);
}

TEST_F(PollTest, NobodyIsCalledAfterCloseWhoWasToBeCalledSoon) {
    End one(poll);
    End two(poll);
    one.when_readable = [&] { two.socket.reset(); };
    two.when_readable = [&] { one.socket.reset(); };
    one.socket->call_readable();
    two.socket->call_readable();
    run();
    EXPECT_EQ(one.calls, 1);
    EXPECT_EQ(two.calls, 0);
}

TEST_F(PollTest, ASocketThatSomebodyElseStillHoldsIsForgotten) {
    End end(poll);
    const int held = ::dup(end.socket->native());
    end.socket->wait_readable();
    end.socket.reset();
    end.say("to nobody");
    run();
    EXPECT_EQ(end.calls, 0);
    ::close(held);
}

TEST_F(PollTest, RoomForMoreIsToldOnce) {
    End end(poll);
    run();
    EXPECT_EQ(end.writable, 0);
    const std::string much(std::size_t{1} << 20, 'x');
    Slices slices;
    slices.add(much);
    EXPECT_EQ(slices.send(end.socket->native()), Sent::some);
    end.socket->wait_writable();
    run();
    EXPECT_EQ(end.writable, 0);
    std::string into(much.size(), '\0');
    EXPECT_GT(::recv(end.peer, into.data(), into.size(), 0), 0);
    run();
    EXPECT_EQ(end.writable, 1);
}

TEST_F(PollTest, WhoThrowsDoesNotStopTheOthersOfTheBatch) {
    End bad(poll);
    End good(poll);
    bad.when_readable = [] { throw std::runtime_error("a bug"); };
    for (auto* each : {&bad, &good}) {
        each->socket->wait_readable();
        each->say("x");
    }
    EXPECT_THROW(run(), std::runtime_error);
    run();
    EXPECT_EQ(good.got, "x");
    good.say("y");
    run();
    EXPECT_EQ(good.got, "xy");
}

TEST_F(PollTest, WhoThrowsDoesNotStopThoseToBeCalledSoon) {
    End bad(poll);
    End good(poll);
    bad.when_readable = [] { throw std::runtime_error("a bug"); };
    bad.socket->call_readable();
    good.socket->call_readable();
    EXPECT_THROW(run(), std::runtime_error);
    run();
    EXPECT_EQ(good.calls, 1);
}

TEST_F(PollTest, TimersAndPostsGetTheirTurnBesideABusySocket) {
    End end(poll);
    end.when_readable = [&] { end.socket->call_readable(); };  // never has enough
    end.socket->call_readable();
    bool posted = false;
    asio::post(loop, [&] { posted = true; });
    run();
    EXPECT_TRUE(posted);
    EXPECT_GT(end.calls, 100);
}

TEST_F(PollTest, AReleasedSocketIsTheCallers) {
    End end(poll);
    end.socket->wait_readable();
    const int socket = end.socket->release();
    EXPECT_FALSE(end.socket->is_open());
    end.say("hello");
    run();
    EXPECT_EQ(end.calls, 0);
    std::array<char, 8> into{};
    EXPECT_EQ(::recv(socket, into.data(), into.size(), 0), 5);
    ::close(socket);
}

}  // namespace
}  // namespace berth::proxy
