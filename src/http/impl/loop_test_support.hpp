// For tests of this room that need a loop: a Server on a free port of the loopback, raw connections to it,
// and a test coroutine that is run to its end within a few seconds.
#pragma once

#include "async/task_scope.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "net/timed_socket.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace berth::http::test {

struct LoopTest : testing::Test {
    asio::io_context io;
    std::vector<std::string> failed;
    TaskScope scope{
        io.get_executor(), [this](std::string_view task, std::exception_ptr) { failed.emplace_back(task); }};
    TaskScope tests{io.get_executor(), [this](std::string_view, std::exception_ptr failure) {
                        test_failure = failure;
                        io.stop();
                    }};
    std::exception_ptr test_failure;
    ServerLimits limits;
    std::unique_ptr<Server> server;

    void serve(Handler handler, bool trusted = false);
    void serve_at(const net::Endpoint& at, Handler handler, bool trusted = false);
    net::Endpoint endpoint() const { return server->local(); }
    // Runs `body`, then stops the scope.
    void run(awaitable<> body);
    ~LoopTest() override;
};

// Sends `text`, in pieces of `fragment` bytes when it is given, and gives what comes until the peer closes or
// `quiet` passes without a byte.
awaitable<std::string> talk(
    net::Endpoint to,
    std::string text,
    std::size_t fragment = 0,
    std::chrono::milliseconds quiet = std::chrono::milliseconds{2'000});

std::size_t count_of(std::string_view text, std::string_view what);

}  // namespace berth::http::test
