// The proxy's process: adopted when one that a hub before us started still runs for the same address, started
// otherwise, and started again when it ends. It is not our child in spirit: it outlives the hub, so that open
// notebooks go on while the hub is away. Hub strand only.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/listener.hpp"

#include <functional>
#include <string>

namespace berth::app {

enum class ProxyErrc { address_in_use = 1, not_started, state_unwritable };
std::string_view text_of(ProxyErrc reason);
BERTH_ERROR_CATEGORY(ProxyErrc, "proxy_process")

struct ProxyProcessOptions {
    std::string program;    // this binary
    std::string state_dir;  // absolute; holds proxy.sock, proxy.json, proxy-routes.json, logs/proxy.log
    net::Endpoint public_at;
    std::string default_target;  // the hub's own listener
    std::string error_target;
    Secret token;
    std::string log_level;
};

class ProxyProcess {
public:
    explicit ProxyProcess(ProxyProcessOptions options) : options_(std::move(options)) {}

    net::Endpoint api() const;
    // Adopts or starts. Errors: address_in_use, not_started (with what the proxy said), state_unwritable.
    awaitable<Result<void>> ensure(const asio::any_io_executor& executor, Deadline deadline);
    // Waits for its end and starts it again, for ever; `on_restart` then checks the routes.
    awaitable<> supervise(std::function<void()> on_restart);
    // Ends it: nobody's server runs behind it.
    void stop();

private:
    Result<int> start();
    int running_pid() const;  // of the one that proxy.json names and that serves what we want; 0: none
    std::vector<std::string> arguments() const;
    json::array recorded_arguments() const;
    std::string record_path() const { return options_.state_dir + "/proxy.json"; }
    awaitable<Result<void>> wait_until_it_answers(Deadline deadline);

    ProxyProcessOptions options_;
    int pid_ = 0;
};

}  // namespace berth::app
