// The proxy's process: adopted when one that a hub before us started still runs for the same address, started
// otherwise, and started again when it ends. It is not our child in spirit: it outlives the hub, so that open
// notebooks go on while the hub is away. Hub strand only.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/listener.hpp"
#include "net/tls.hpp"

#include <functional>
#include <string>

namespace berth::app {

enum class ProxyErrc { address_in_use = 1, not_started, state_unwritable };
std::string_view text_of(ProxyErrc reason);
BERTH_ERROR_CATEGORY(ProxyErrc, "proxy_process")

struct ProxyProcessOptions {
    std::string program;    // this binary
    std::string state_dir;  // absolute; holds proxy.sock, proxy-routes.json, logs/proxy.log
    net::Endpoint public_at;
    net::TlsPair tls;                 // this and the folder empty: plain http
    std::string tls_folder;           // of certificates for other names
    std::string acme_webroot;         // "": none
    std::uint16_t redirect_port = 0;  // 0: none
    std::string default_target;       // the hub's own listener
    std::string error_target;
    Secret token;
    std::string log_level;
    std::uint64_t edge_cache_bytes = 0;
};

class ProxyProcess {
public:
    explicit ProxyProcess(ProxyProcessOptions options) : options_(std::move(options)) {}

    net::Endpoint api() const;
    // Adopts or starts. Errors: address_in_use, not_started (with what the proxy said), state_unwritable.
    awaitable<Result<void>> ensure(const asio::any_io_executor& executor, Deadline deadline);
    // Waits for its end and starts it again, for ever, at once unless it keeps ending (RestartPause);
    // `on_restart` then checks the routes.
    awaitable<> supervise(std::function<void()> on_restart);
    // Ends it: nobody's server runs behind it.
    void stop();

private:
    Result<int> start();
    // Another binary runs there than the one we are: that of before an upgrade. Ours takes its place;
    // connections stay with it until they end. When that fails the old one goes on serving.
    awaitable<> bring_up_to_date();
    // Of the one that serves what we want, 0 when there is none; others on our socket are ended. Looked for
    // among all processes: a file that names it would be missing or old after a full disk, or when the hub is
    // killed right after it started one.
    int running_pid() const;
    std::vector<std::string> arguments() const;
    std::string log_file() const;  // of the proxy, which keeps it small (log::to_file)
    awaitable<Result<void>> wait_until_it_answers(Deadline deadline);

    ProxyProcessOptions options_;
    int pid_ = 0;
};

}  // namespace berth::app
