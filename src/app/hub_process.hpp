// Everything the hub process holds, built in the order of src/LAYERS and destroyed in the reverse one: the
// only place that knows all rooms. Hub strand.
#pragma once

#include "async/task_scope.hpp"
#include "base/result.hpp"
#include "config/options.hpp"

#include <memory>
#include <string>

namespace berth::app {

class HubProcess {
public:
    HubProcess(asio::io_context& io, config::Options options);
    ~HubProcess();
    HubProcess(const HubProcess&) = delete;

    // Opens the store, starts or adopts the proxy, listens. Returns when /hub/health answers. The message of
    // an error names the option and what to do.
    awaitable<Result<void>> start();
    // Stops taking requests, ends background work, flushes the store. Servers go on, and the proxy too as
    // long as somebody's server runs behind it, or when another program takes over at once.
    enum class Then { end, hand_over };
    awaitable<> stop(Then then);
    // What the terminal shows once it serves.
    std::string greeting() const;
    // Resolves when somebody asked the hub to shut down over its API.
    awaitable<> wait_for_shutdown_request();

private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

}  // namespace berth::app
