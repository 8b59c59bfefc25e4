#include "http/impl/loop_test_support.hpp"

#include <algorithm>

namespace berth::http::test {
namespace {

using namespace std::chrono_literals;

awaitable<> run_then_stop(asio::io_context& io, TaskScope& scope, awaitable<> body) {
    co_await std::move(body);
    co_await scope.stop(500ms);
    io.stop();
}

}  // namespace

void LoopTest::serve(Handler handler, bool trusted) {
    net::Endpoint at;
    at.host = "127.0.0.1";
    serve_at(at, std::move(handler), trusted);
}

void LoopTest::serve_at(const net::Endpoint& at, Handler handler, bool trusted) {
    auto listener = net::Listener::open(io.get_executor(), at);
    if (!listener) throw std::runtime_error(listener.error().message);
    server =
        std::make_unique<Server>(scope, std::move(*listener), "test", limits, trusted, std::move(handler));
    server->start();
}

void LoopTest::run(awaitable<> body) {
    asio::steady_timer limit(io, 10s);
    limit.async_wait([this](error_code cancelled) {
        if (cancelled) return;
        ADD_FAILURE() << "the test did not end in time";
        io.stop();
    });
    tests.spawn("test", OnStop::cancel, run_then_stop(io, scope, std::move(body)));
    io.run();
    if (test_failure) std::rethrow_exception(test_failure);
}

LoopTest::~LoopTest() {
    // What an early end left over is ended here, since scopes must be empty.
    io.restart();
    scope.spawn("end", OnStop::cancel, sleep_for(0ms));
    struct Ender {
        static awaitable<> end(asio::io_context& loop, TaskScope& ended) {
            co_await ended.stop(0ms);
            loop.stop();
        }
    };
    TaskScope last{io.get_executor(), [](std::string_view, std::exception_ptr) {}};
    last.spawn("end", OnStop::cancel, Ender::end(io, scope));
    io.run();
    io.restart();
    last.spawn("end", OnStop::cancel, Ender::end(io, tests));
    io.run();
    io.restart();
    io.poll();
}

awaitable<std::string> talk(
    net::Endpoint to, std::string text, std::size_t fragment, std::chrono::milliseconds quiet) {
    auto connected = co_await net::connect(std::move(to), Deadline::in(2s));
    if (!connected) throw std::runtime_error(connected.error().message);
    net::TimedSocket socket(std::move(*connected));
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto piece = rest.substr(0, fragment == 0 ? rest.size() : fragment);
        rest.remove_prefix(piece.size());
        const net::TimedSocket::Pieces pieces{piece, {}, {}};
        const auto failure = co_await socket.write(pieces, quiet);
        if (failure) break;  // refused and closed: what it said is read below
        if (fragment != 0) co_await sleep_for(0ms);
    }
    std::string got;
    std::vector<char> buffer(64 * 1024);
    for (;;) {
        const auto transfer = co_await socket.read_some(asio::buffer(buffer), Deadline::in(quiet));
        got.append(buffer.data(), transfer.bytes);
        if (transfer.failure) break;
    }
    co_return got;
}

std::size_t count_of(std::string_view text, std::string_view what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

}  // namespace berth::http::test
