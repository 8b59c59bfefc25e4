#include "app/serve.hpp"

#include "app/hub_process.hpp"
#include "app/stand_in.hpp"
#include "app/successor.hpp"
#include "async/stop_source.hpp"
#include "obs/log.hpp"

#include <boost/asio/signal_set.hpp>

#include <sys/wait.h>
#include <unistd.h>

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

// SIGINT and SIGTERM end the hub; SIGHUP puts the program that is installed now in its place, with the
// configuration as it is now, provided that both are fine.
awaitable<> wait_for_signal(std::shared_ptr<StopSource> stop, Successor& successor) {
    asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM, SIGHUP);
    // A terminal that is closed sends it too, and its hub is to end as it always did.
    const bool on_terminal = ::isatty(STDIN_FILENO) == 1;
    for (;;) {
        const int number = co_await signals.async_wait(asio::use_awaitable);
        const bool reload = number == SIGHUP && !on_terminal;
        log::info(reload ? "hub.reload_requested" : "hub.stop_requested", {{"signal", number}});
        if (reload) {
            const auto fit = co_await successor.check();
            if (!fit) {
                log::error(
                    "hub.reload_refused", {{"why", fit.error().message}, {"detail", fit.error().detail}});
                continue;
            }
            successor.wanted = true;
        }
        break;
    }
    stop->request();
}

awaitable<> wait_for_api(HubProcess& hub, std::shared_ptr<StopSource> stop) {
    co_await hub.wait_for_shutdown_request();
    stop->request();
}

// Start, serve, stop. Owns the watchers, so that nothing outlives it.
awaitable<> live(asio::io_context& io, HubProcess& hub, Successor& successor, int& status) {
    TaskScope watchers(io.get_executor(), [](std::string_view task, const std::exception_ptr&) {
        log::error("task.failed", {{"task", task}});
    });
    auto stop = std::make_shared<StopSource>(io.get_executor());
    watchers.spawn("signals", OnStop::cancel, wait_for_signal(stop, successor));
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
    co_await hub.stop(successor.wanted ? HubProcess::Then::hand_over : HubProcess::Then::end);
    co_await watchers.stop(1s);
    // A call to the backend that must not be cut off may still wait for its answer; what it does is in the
    // rows, so the next hub sees to it.
    io.stop();
}

}  // namespace

int serve(config::Options options, unsigned stand_in_gpus) {
    log::configure(
        level_named(options.log.level), options.log.format == "json" ? log::Format::json : log::Format::text);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        // children of the program whose place we have taken
    }
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
    Successor successor;
    TaskScope scope(io.get_executor(), [&status](std::string_view, const std::exception_ptr& failure) {
        status = 70;  // EX_SOFTWARE
        std::rethrow_exception(failure);
    });
    scope.spawn("hub", OnStop::cancel, live(io, hub, successor, status));
    io.run();
    std::cout.flush();
    if (successor.wanted && status == 0) status = successor.take_over();
    std::quick_exit(status);  // everything is durable; frames that still wait are not unwound
}

}  // namespace berth::app
