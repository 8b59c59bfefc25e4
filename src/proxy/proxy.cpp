#include "proxy/proxy.hpp"

#include "async/task_scope.hpp"
#include "http/server.hpp"
#include "obs/metrics.hpp"
#include "proxy/control_api.hpp"
#include "proxy/handover.hpp"
#include "proxy/metrics.hpp"
#include "proxy/pid_file.hpp"
#include "proxy/redirect.hpp"
#include "proxy/routes.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/signal_set.hpp>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace berth::proxy {
namespace {

constexpr int kCannotStart = 1;
constexpr int kEndedBySignal = 2;
constexpr std::chrono::milliseconds kCertificateLook{2'000};  // how soon a new certificate is noticed
// After a hand-over: a client may just be sending on a connection that it kept open.
constexpr std::chrono::milliseconds kLastRequestTime{2'000};

void log_failure(std::string_view task, const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {  // TaskScope's place where exceptions end (style §3)
        log::error("proxy.task_failed", {{"task", task}, {"why", error.what()}});
    }
}

// A proxied request holds two descriptors; the usual soft limit of 1024 is 500 open notebooks.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

net::Endpoint tcp_endpoint(std::string host, std::uint16_t port) {
    net::Endpoint at;
    at.host = std::move(host);
    at.port = port;
    return at;
}

net::Endpoint unix_endpoint(std::string path) {
    net::Endpoint at;
    at.path = std::move(path);
    return at;
}

awaitable<http::Response> show_metrics(http::Request request) {
    if (request.path() != "/metrics") co_return http::Response::empty(404);
    auto response = http::Response::text(200, obs::render());
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    co_return response;
}

// The parts of the process in the order they start; they end in reverse.
class Process {
public:
    explicit Process(const ProxyOptions& options)
        : options_(options),
          tasks_(control_.get_executor(), log_failure),
          ending_(control_.get_executor(), log_failure),
          api_(routes_, options.auth_token),
          address_limit_(options.max_connections_per_address),
          signals_(control_, SIGTERM, SIGINT),
          hang_up_(control_, SIGHUP),
          replace_(control_, SIGUSR2),
          edge_passes_(options.auth_token),
          tls_to_targets_(options.target_tls) {}

    Result<void> open();
    void run();

private:
    Result<void> load_routes();
    Result<void> open_public();
    Result<void> open_api();
    Result<void> open_metrics();
    Result<void> open_redirect();
    Result<void> open_tls();
    void reload_certificates(bool only_changed);
    void reload_at_hang_up();
    awaitable<> watch_certificate();
    void replace_at_signal();
    awaitable<> hand_over();
    void stay(const Error& why);
    void stop_at_signal();
    void begin_end();
    std::vector<net::Listener*> listeners();
    Drain how_to_drain() const;
    awaitable<http::Response> handle(http::Request request);
    awaitable<> end_tasks();

    const ProxyOptions& options_;
    asio::io_context control_{1};
    TaskScope tasks_;
    TaskScope ending_;  // holds only the task that ends all others
    Routes routes_;
    ControlApi api_;
    AddressLimit address_limit_;  // outlives the workers
    asio::signal_set signals_;
    asio::signal_set hang_up_;
    asio::signal_set replace_;
    const Handover handover_;
    bool handing_over_ = false;  // whose routes count is not known yet
    bool replaced_ = false;
    bool ending_begun_ = false;
    unsigned refusals_ = 0;         // of successors that did not come
    const EdgePasses edge_passes_;  // these outlive the workers
    net::TlsClient tls_to_targets_;
    std::shared_ptr<net::TlsCertificate> certificate_;
    std::shared_ptr<net::TlsCertificate> api_certificate_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::optional<http::Server> server_;
    std::optional<http::Server> metrics_;
    std::optional<http::Server> redirect_;
    net::Endpoint public_at_;
    PidFile pid_file_;
};

Result<void> Process::open() {
    BERTH_CHECK(validate(options_));
    if (!options_.pid_file.empty() && !pid_file_.write(options_.pid_file)) {
        return Error{OptionsErrc::invalid, "--pid-file " + options_.pid_file + " cannot be written."};
    }
    BERTH_CHECK(load_routes());
    BERTH_CHECK(open_tls());
    BERTH_CHECK(open_public());
    BERTH_CHECK(open_api());
    BERTH_CHECK(open_redirect());
    return open_metrics();
}

Result<void> Process::load_routes() {
    // Without a token anybody may write routes, and with them name folders of this machine.
    if (!options_.auth_token.empty()) routes_.allow_edge(options_.edge_cache_bytes);
    if (!options_.routes_file.empty()) BERTH_CHECK(routes_.open_file(options_.routes_file));
    if (options_.default_target.empty()) return boost::system::in_place_value;
    return routes_.put("/", json::object{{"target", options_.default_target}});
}

// The system's authorities are read when the first target wants them.
Result<void> Process::open_tls() {
    if (options_.tls.has_certificate()) {
        BERTH_TRY(certificate_, net::TlsCertificate::load(options_.tls));
    }
    if (!options_.api_tls.pair.certificate.empty()) {
        BERTH_TRY(api_certificate_, net::TlsCertificate::load(options_.api_tls));
    }
    const auto& files = options_.target_tls;
    if (!files.pair.certificate.empty() || !files.authorities.empty()) BERTH_CHECK(tls_to_targets_.context());
    return boost::system::in_place_value;
}

Result<void> Process::open_public() {
    const auto count =
        options_.workers > 0 ? options_.workers : std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i)
        workers_.push_back(
            std::make_unique<Worker>(options_, routes_, address_limit_, tls_to_targets_, edge_passes_));
    if (certificate_) {
        for (const auto& worker : workers_)
            worker->require_tls(*certificate_);
    }

    if (!options_.socket.empty()) {
        BERTH_TRY(
            auto listener, net::Listener::open(workers_[0]->executor(), unix_endpoint(options_.socket)));
        public_at_ = listener.local();
        std::vector<Worker*> all;
        all.reserve(workers_.size());
        for (const auto& worker : workers_)
            all.push_back(worker.get());
        workers_[0]->listen(std::move(listener), std::move(all));
        return boost::system::in_place_value;
    }
    auto at = tcp_endpoint(options_.ip, options_.port);
    if (!net::inherits(at)) {
        // With SO_REUSEPORT a second proxy would silently share the port; one plain bind finds out who is
        // there.
        BERTH_TRY(auto probe, net::Listener::open(workers_[0]->executor(), at));
        at = probe.local();
    }
    for (const auto& worker : workers_) {
        BERTH_TRY(auto listener, net::Listener::open(worker->executor(), at, net::ReusePort::yes));
        worker->listen(std::move(listener), {worker.get()});
    }
    public_at_ = at;
    return boost::system::in_place_value;
}

Result<void> Process::open_api() {
    net::Endpoint at;
    if (!options_.api_socket.empty()) {
        at = unix_endpoint(options_.api_socket);
    } else {
        const auto next = static_cast<std::uint16_t>(options_.port == 0 ? 0 : options_.port + 1);
        at = tcp_endpoint(options_.api_ip, options_.api_port.value_or(next));
    }
    BERTH_TRY(auto listener, net::Listener::open(control_.get_executor(), at));
    server_.emplace(
        tasks_, std::move(listener), "proxy api", http::ServerLimits{}, false, [this](http::Request request) {
            return handle(std::move(request));
        });
    if (api_certificate_) server_->require_tls(api_certificate_);
    return boost::system::in_place_value;
}

Result<void> Process::open_metrics() {
    if (!options_.metrics_port && options_.metrics_socket.empty()) return boost::system::in_place_value;
    const auto at = options_.metrics_socket.empty()
                        ? tcp_endpoint(options_.metrics_ip, *options_.metrics_port)
                        : unix_endpoint(options_.metrics_socket);
    BERTH_TRY(auto listener, net::Listener::open(control_.get_executor(), at));
    declare_metrics();
    metrics_.emplace(tasks_, std::move(listener), "proxy metrics", http::ServerLimits{}, false, show_metrics);
    return boost::system::in_place_value;
}

Result<void> Process::open_redirect() {
    if (!options_.redirect_port) return boost::system::in_place_value;
    BERTH_TRY(
        auto listener,
        net::Listener::open(control_.get_executor(), tcp_endpoint(options_.ip, *options_.redirect_port)));
    const auto port = options_.redirect_to.value_or(public_at_.port);
    redirect_.emplace(
        tasks_,
        std::move(listener),
        "https redirect",
        http::ServerLimits{},
        false,
        [port, webroot = options_.acme_webroot](http::Request request) {
            return redirect_to_https(std::move(request), port, webroot);
        });
    return boost::system::in_place_value;
}

void reload(net::TlsCertificate& certificate, const std::string& path) {
    if (const auto done = certificate.reload(); !done)
        log::error(
            "proxy.certificate_refused", {{"why", done.error().message}, {"act", "the old one stays"}});
    else
        log::info("proxy.certificate_loaded", {{"path", path}});
}

void Process::reload_certificates(bool only_changed) {
    for (const auto& [certificate, files] :
         {std::pair{certificate_.get(), &options_.tls},
          std::pair{api_certificate_.get(), &options_.api_tls}}) {
        if (certificate == nullptr || (only_changed && !certificate->changed())) continue;
        reload(*certificate, files->pair.certificate.empty() ? files->folder : files->pair.certificate);
    }
}

void Process::reload_at_hang_up() {
    hang_up_.async_wait([this](error_code failure, int) {
        if (failure) return;
        reload_certificates(false);
        reload_at_hang_up();
    });
}

awaitable<> Process::watch_certificate() {
    for (;;) {
        co_await sleep_for(kCertificateLook);
        reload_certificates(true);
    }
}

awaitable<http::Response> Process::handle(http::Request request) {
    if (!handing_over_) co_return api_.handle(request);
    auto response = http::Response::text(503, "Another program takes over. Ask again in a second.\n");
    response.headers.set("Retry-After", "1");
    co_return response;
}

void Process::replace_at_signal() {
    replace_.async_wait([this](error_code failure, int) {
        if (failure) return;
        if (!handing_over_) tasks_.spawn("hand over", OnStop::cancel, hand_over());
        replace_at_signal();
    });
}

std::vector<net::Listener*> Process::listeners() {
    std::vector<net::Listener*> all;
    for (const auto& worker : workers_) {
        if (auto* listener = worker->listener()) all.push_back(listener);
    }
    for (auto* server : {&server_, &metrics_, &redirect_}) {
        if (*server) all.push_back(&(*server)->listener());
    }
    return all;
}

awaitable<> Process::hand_over() {
    log::info("proxy.handing_over");
    handing_over_ = true;
    std::vector<net::PassedSocket> sockets;
    for (const auto* listener : listeners())
        sockets.push_back(listener->share());
    const auto successor = co_await handover_.start(std::move(sockets));
    handing_over_ = false;
    if (ending_begun_) {  // stopped meanwhile: whoever did so wants no proxy here
        if (successor) end_successor(*successor);
        log::info("proxy.handover_dropped", {{"why", "this proxy was told to end"}});
        co_return;
    }
    if (!successor) co_return stay(successor.error());
    log::info("proxy.replaced", {{"by", *successor}, {"act", "this one ends with its last connection"}});
    replaced_ = true;
    for (auto* listener : listeners())
        listener->disown();
    pid_file_.disown();
    ::prctl(PR_SET_NAME, kDrainingName);
    std::signal(SIGCHLD, SIG_IGN);  // the successor is our child and may end before us
    begin_end();
}

void Process::stay(const Error& why) {
    log::error("proxy.not_replaced", {{"why", why.message}});
    ::prctl(PR_SET_NAME, kept_name(++refusals_).c_str());
}

void Process::stop_at_signal() {
    signals_.async_wait([this](error_code failure, int signal) {
        if (failure) return;
        log::info("proxy.stopping", {{"signal", signal}});
        if (ending_begun_) {  // a successor serves: at once, as with a signal that comes later
            signals_.clear();
            std::raise(signal);
        }
        begin_end();
    });
}

Drain Process::how_to_drain() const {
    const std::chrono::milliseconds none{0};
    if (replaced_) return {kLastRequestTime, options_.handover_timeout, options_.handover_timeout};
    return {none, options_.drain_timeout, none};
}

void Process::begin_end() {
    ending_begun_ = true;
    ending_.spawn("stop", OnStop::drain, end_tasks());
}

awaitable<> Process::end_tasks() {
    co_await tasks_.stop(std::chrono::milliseconds{0});
    control_.stop();
}

void Process::run() {
    for (const auto& worker : workers_)
        worker->start();
    server_->start();
    if (metrics_) metrics_->start();
    if (redirect_) redirect_->start();
    if (certificate_ || api_certificate_)
        tasks_.spawn("watch certificates", OnStop::cancel, watch_certificate());
    reload_at_hang_up();
    replace_at_signal();
    if (options_.auth_token.empty()) {
        log::warn(
            "proxy.api_open",
            {{"why", "CONFIGPROXY_AUTH_TOKEN is not set; whoever reaches the API may write routes"}});
    }
    log::info(
        "proxy.started",
        {{"at", public_at_.to_string()},
         {"api", server_->local().to_string()},
         {"workers", workers_.size()},
         {"routes", routes_.table()->size()}});
    net::close_inherited();
    tell_predecessor();
    stop_at_signal();
    control_.run();
    control_.restart();
    control_.poll();  // what the stop left in the queue: the ends of its tasks
    hang_up_.clear();
    signals_.clear();  // a second signal ends the process at once
    for (const auto& worker : workers_)
        worker->begin_stop(how_to_drain());
    for (const auto& worker : workers_)
        worker->join();
}

}  // namespace

int run(const ProxyOptions& options) {
    // Whoever started us may be gone, and with it the reader of our log; that must not end us.
    std::signal(SIGPIPE, SIG_IGN);
    begin_as_successor();
    raise_descriptor_limit();
    log::configure(options.log_level, log::Format::text);
    Process process(options);
    if (const auto opened = process.open(); !opened) {
        std::fprintf(stderr, "berth proxy: %s\n", opened.error().message.c_str());
        if (!opened.error().detail.empty()) std::fprintf(stderr, "  %s\n", opened.error().detail.c_str());
        return kCannotStart;
    }
    process.run();
    return kEndedBySignal;
}

}  // namespace berth::proxy
