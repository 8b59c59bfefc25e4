// One event loop with its thread: a listener, the sessions accepted there, their idle connections to targets.
// Workers share nothing but the routes, which they fetch when the version moved (design §2).
#pragma once

#include "async/task_scope.hpp"
#include "http/client.hpp"
#include "net/listener.hpp"
#include "proxy/error_pages.hpp"
#include "proxy/options.hpp"
#include "proxy/routes.hpp"
#include "proxy/session.hpp"
#include "proxy/upstream.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace berth::proxy {

class Worker {
public:
    Worker(const ProxyOptions& options, const Routes& routes);
    Worker(const Worker&) = delete;
    ~Worker();

    asio::any_io_executor executor() { return loop_.get_executor(); }
    // Sessions that this worker accepts go to `takers` in turn (itself among them): one Unix socket has one
    // listener.
    void listen(net::Listener listener, std::vector<Worker*> takers);
    void start();  // runs the loop on a thread of its own
    // From another thread: accepts no more, lets requests in flight end for `grace`, then cuts what is left.
    void begin_stop(std::chrono::milliseconds grace);
    void join();
    void adopt(int socket, std::string peer_address);  // from any worker

    // For sessions, on this worker's thread.
    Loop loop() { return loop_.get_executor(); }
    const ProxyOptions& options() const { return options_; }
    const RouteTable& routes();
    UpstreamPool& pool() { return pool_; }
    bool is_draining() const { return draining_; }
    void add(Session& session) { sessions_.push_back(session); }
    // Asks --error-target for the page and hands it, or nothing, to session->on_error_page().
    void fetch_error_page(SessionPtr session, unsigned status, std::string target);

private:
    awaitable<> accept_all();
    awaitable<> stop_after(std::chrono::milliseconds grace);
    awaitable<> ask_error_target(SessionPtr session, unsigned status, std::string target);
    void sweep();
    void run();

    using Sessions = boost::intrusive::list<Session, boost::intrusive::constant_time_size<false>>;

    const ProxyOptions& options_;
    const Routes& shared_routes_;
    asio::io_context loop_;
    std::uint64_t routes_version_ = 0;
    std::shared_ptr<const RouteTable> routes_;
    UpstreamPool pool_;
    Sessions sessions_;
    TaskScope tasks_;
    TaskScope ending_;  // holds only the task that ends all others
    asio::steady_timer sweeper_;
    std::optional<net::Listener> listener_;
    std::vector<Worker*> takers_;
    std::optional<http::Client> error_client_;
    std::string error_path_;
    bool draining_ = false;
    std::thread thread_;
};

}  // namespace berth::proxy
