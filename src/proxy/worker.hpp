// One event loop with its thread: a listener, the sessions accepted there, their idle connections to targets.
// Workers share nothing but the routes, which they fetch when the version moved (design §2).
#pragma once

#include "async/task_scope.hpp"
#include "http/client.hpp"
#include "net/listener.hpp"
#include "net/tls.hpp"
#include "proxy/edge_pass.hpp"
#include "proxy/error_pages.hpp"
#include "proxy/options.hpp"
#include "proxy/poll.hpp"
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

// How long what is open when a worker stops may go on.
struct Drain {
    std::chrono::milliseconds idle;      // connections between two requests: for one more
    std::chrono::milliseconds requests;  // in flight
    std::chrono::milliseconds tunnels;   // WebSockets; then they are told 1001
};

class Worker {
public:
    // What comes by reference outlives the worker, whose threads share it.
    Worker(
        const ProxyOptions& options,
        const Routes& routes,
        AddressLimit& limit,
        net::TlsClient& tls_to_targets,
        const EdgePasses& edge_passes);
    Worker(const Worker&) = delete;
    ~Worker();

    asio::any_io_executor executor() { return loop_.get_executor(); }
    // Sessions that this worker accepts go to `takers` in turn (itself among them): one Unix socket has one
    // listener.
    void listen(net::Listener listener, std::vector<Worker*> takers);
    // Every connection of that listener speaks TLS. The certificate outlives the worker.
    void require_tls(const net::TlsCertificate& certificate) { certificate_ = &certificate; }
    void start();  // runs the loop on a thread of its own
    // From another thread: accepts no more, lets what is open go on for as long as `how` says, then cuts it.
    void begin_stop(Drain how);
    net::Listener* listener() { return listener_ ? &*listener_ : nullptr; }
    void join();
    void adopt(int socket, Arrival arrival);  // from any worker

    // For sessions, on this worker's thread.
    Loop loop() { return loop_.get_executor(); }
    Poll& poll() { return poll_; }
    const ProxyOptions& options() const { return options_; }
    const EdgePasses& edge_passes() const { return edge_passes_; }
    const RouteTable& routes();
    UpstreamPool& pool() { return pool_; }
    bool is_draining() const { return draining_.has_value(); }
    // Nobody takes this proxy's place, so nothing new begins.
    bool is_ending() const { return draining_ && draining_->idle.count() == 0; }
    void add(Session& session) { sessions_.push_back(session); }
    // Asks --error-target for the page and hands it, or nothing, to session->on_error_page().
    void fetch_error_page(SessionPtr session, unsigned status, std::string target);

private:
    awaitable<> accept_all();
    void secure(int tcp, std::string host, TakePlain take);
    awaitable<Result<net::Socket>> connect_securely(net::Endpoint to, Deadline deadline);
    void admit(net::Socket client, Worker& taker);
    void refuse(net::Socket client, const std::string& address);
    awaitable<> stop();
    awaitable<> drain_sessions(Drain how);
    awaitable<> ask_error_target(SessionPtr session, unsigned status, std::string target);
    void sweep();
    void run();

    using Sessions = boost::intrusive::list<Session, boost::intrusive::constant_time_size<false>>;

    const ProxyOptions& options_;
    const Routes& shared_routes_;
    AddressLimit& limit_;
    net::TlsClient& tls_to_targets_;
    const EdgePasses& edge_passes_;
    asio::io_context loop_;
    Poll poll_;
    std::uint64_t routes_version_ = 0;
    std::shared_ptr<const RouteTable> routes_;
    UpstreamPool pool_;
    Sessions sessions_;
    TaskScope tasks_;
    TaskScope ending_;  // holds only the task that ends all others
    asio::steady_timer sweeper_;
    std::optional<net::Listener> listener_;
    std::vector<Worker*> takers_;
    const net::TlsCertificate* certificate_ = nullptr;
    std::optional<http::Client> error_client_;
    std::string error_path_;
    std::optional<Drain> draining_;
    std::thread thread_;
};

}  // namespace berth::proxy
