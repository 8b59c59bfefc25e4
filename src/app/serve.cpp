#include "app/serve.hpp"

#include "app/hub_process.hpp"
#include "app/stand_in.hpp"
#include "async/stop_source.hpp"
#include "obs/log.hpp"

#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

log::Level level_named(const std::string& name) {
    if (name == "debug") return log::Level::debug;
    if (name == "warn") return log::Level::warn;
    if (name == "error") return log::Level::error;
    return log::Level::info;
}

awaitable<> wait_for_signal(std::shared_ptr<StopSource> stop) {
    asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM);
    const int number = co_await signals.async_wait(asio::use_awaitable);
    log::info("hub.stop_requested", {{"signal", number}});
    stop->request();
}

awaitable<> wait_for_api(HubProcess& hub, std::shared_ptr<StopSource> stop) {
    co_await hub.wait_for_shutdown_request();
    stop->request();
}

// Start, serve, stop. Owns the watchers, so that nothing outlives it.
awaitable<> live(asio::io_context& io, HubProcess& hub, int& status) {
    TaskScope watchers(io.get_executor(), [](std::string_view task, const std::exception_ptr&) {
        log::error("task.failed", {{"task", task}});
    });
    auto stop = std::make_shared<StopSource>(io.get_executor());
    watchers.spawn("signals", OnStop::cancel, wait_for_signal(stop));
    const auto started = co_await hub.start();
    if (started) {
        std::cout << hub.greeting() << std::flush;
        watchers.spawn("shutdown requests", OnStop::cancel, wait_for_api(hub, stop));
        auto asked = co_await stop->timer().async_wait(as_tuple);
        (void)asked;
    } else {
        const auto& error = started.error();
        std::cerr << "berth: " << error.message << "\n";
        if (!error.detail.empty()) std::cerr << "berth: (" << error.detail << ")\n";
        status = 1;
    }
    co_await hub.stop();
    co_await watchers.stop(1s);
    // A call to the backend that must not be cut off may still wait for its answer; what it does is in the
    // rows, so the next hub sees to it.
    io.stop();
}

}  // namespace

int serve(config::Options options, unsigned stand_in_gpus) {
    log::configure(
        level_named(options.log.level), options.log.format == "json" ? log::Format::json : log::Format::text);
    std::signal(SIGPIPE, SIG_IGN);  // a client that left shows up as EPIPE where we write
    if (stand_in_gpus > 0) {
        if (const auto used = use_stand_in_gpus(options, stand_in_gpus); !used) {
            std::cerr << "berth: " << used.error().message << "\n";
            return 1;
        }
    }
    asio::io_context io(1);
    HubProcess hub(io, std::move(options));
    int status = 0;
    TaskScope scope(io.get_executor(), [&status](std::string_view, const std::exception_ptr& failure) {
        status = 70;  // EX_SOFTWARE
        std::rethrow_exception(failure);
    });
    scope.spawn("hub", OnStop::cancel, live(io, hub, status));
    io.run();
    std::cout.flush();
    std::quick_exit(status);  // everything is durable; frames that still wait are not unwound
}

}  // namespace berth::app
