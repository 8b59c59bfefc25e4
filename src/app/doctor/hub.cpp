// The hub that runs, if one does, and the addresses it needs.
#include "app/admin/hub_client.hpp"
#include "app/admin/output.hpp"
#include "app/doctor/checks.hpp"
#include "app/run_blocking.hpp"
#include "http/client.hpp"
#include "net/listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

bool is_locked(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) return false;
    const bool taken = ::flock(file, LOCK_EX | LOCK_NB) != 0;
    ::close(file);
    return taken;
}

awaitable<Result<http::ClientResponse>> get(net::Endpoint at, std::string path) {
    http::Client client(std::move(at), 1024 * 1024, 1);
    http::ClientRequest request;
    request.target = std::move(path);
    co_return co_await client.send(std::move(request), Deadline::in(5s));
}

Result<void> can_listen(const net::Endpoint& at) {
    asio::io_context io;
    if (auto listener = net::Listener::open(io.get_executor(), at); !listener) return listener.error();
    return {};
}

}  // namespace

void check_hub(const config::Options& options, Facts& facts, Report& report) {
    facts.hub_runs = is_locked(options.state_dir + "/berth.lock");
    if (!facts.hub_runs) {
        report.note("hub", "no hub runs on this state directory");
        return;
    }
    const HubClient hub(options.admin_socket(), 5s);
    const auto info = hub.get("/berth/info");
    if (!info) {
        report.fail(
            "hub",
            "a hub holds " + options.state_dir + " but does not answer: " + info.error().message,
            "Look at its log (journalctl -u berth); restart it. Notebooks go on meanwhile.");
        return;
    }
    const auto version = cell(*info, "version");
    const auto found = "Berth " + version + " runs with " + cell(*info, "active_servers") + " active servers";
    if (version != BERTH_VERSION)
        report.warn(
            "hub",
            found + "; this program is " BERTH_VERSION,
            "systemctl reload berth, to take the new program.");
    else
        report.ok("hub", found);
}

void check_ports(const config::Options& options, const Facts& facts, Report& report) {
    const auto url = net::parse_http_url(options.bind_url);
    if (!url) {
        report.fail("bind_url", url.error().message, "Correct bind_url.");
        return;
    }
    auto at = url->endpoint;
    net::Endpoint proxy_api;
    proxy_api.path = options.state_dir + "/proxy.sock";
    const bool proxy_runs = run_blocking(get(proxy_api, "/api/routes")).has_value();
    const auto free = can_listen(at);
    if (proxy_runs || facts.hub_runs) {
        if (at.host.empty() || at.host == "*" || at.host == "0.0.0.0") at.host = "127.0.0.1";
        const auto health = run_blocking(get(at, options.base_path() + "hub/health"));
        if (health && health->status == 200)
            report.ok("bind_url", "browsers reach the hub at " + at.to_string());
        else if (facts.hub_runs)
            report.fail(
                "bind_url",
                "a hub runs, but " + at.to_string() + " does not lead to it",
                "Another program may have taken the port: ss -ltnp; look at logs/proxy.log in state_dir.");
        else
            report.note("bind_url", "the proxy at " + at.to_string() + " waits for a hub; notebooks go on");
        return;
    }
    if (free)
        report.ok("bind_url", at.to_string() + " is free");
    else if (free.error().is(net::NetErrc::address_in_use))
        report.fail(
            "bind_url",
            at.to_string() + " is in use by another program",
            "Stop it (ss -ltnp shows which it is), or choose another port in bind_url.");
    else
        report.fail(
            "bind_url",
            free.error().message,
            "Correct bind_url; ports below 1024 need root or CAP_NET_BIND_SERVICE.");
}

}  // namespace berth::app
