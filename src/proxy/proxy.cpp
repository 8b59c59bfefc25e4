#include "proxy/proxy.hpp"

#include "async/task_scope.hpp"
#include "http/server.hpp"
#include "proxy/control_api.hpp"
#include "proxy/routes.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/signal_set.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>

namespace berth::proxy {
namespace {

constexpr int kCannotStart = 1;
constexpr int kEndedBySignal = 2;

class PidFile {
public:
    PidFile() = default;
    PidFile(const PidFile&) = delete;
    ~PidFile() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    bool write(const std::string& path) {
        std::ofstream file(path, std::ios::trunc);
        file << ::getpid();
        file.close();
        if (!file) return false;
        path_ = path;
        return true;
    }

private:
    std::string path_;
};

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

// The parts of the process in the order they start; they end in reverse.
class Process {
public:
    explicit Process(const ProxyOptions& options)
        : options_(options),
          tasks_(control_.get_executor(), log_failure),
          ending_(control_.get_executor(), log_failure),
          api_(routes_, options.auth_token),
          signals_(control_, SIGTERM, SIGINT) {}

    Result<void> open();
    void run();

private:
    Result<void> load_routes();
    Result<void> open_public();
    Result<void> open_api();
    awaitable<http::Response> handle(http::Request request);
    awaitable<> end_tasks();

    const ProxyOptions& options_;
    asio::io_context control_{1};
    TaskScope tasks_;
    TaskScope ending_;  // holds only the task that ends all others
    Routes routes_;
    ControlApi api_;
    asio::signal_set signals_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::optional<http::Server> server_;
    net::Endpoint public_at_;
    PidFile pid_file_;
};

Result<void> Process::open() {
    BERTH_CHECK(validate(options_));
    if (!options_.pid_file.empty() && !pid_file_.write(options_.pid_file)) {
        return Error{OptionsErrc::invalid, "--pid-file " + options_.pid_file + " cannot be written."};
    }
    BERTH_CHECK(load_routes());
    BERTH_CHECK(open_public());
    return open_api();
}

Result<void> Process::load_routes() {
    if (!options_.routes_file.empty()) BERTH_CHECK(routes_.open_file(options_.routes_file));
    if (options_.default_target.empty()) return boost::system::in_place_value;
    return routes_.put("/", json::object{{"target", options_.default_target}});
}

Result<void> Process::open_public() {
    const auto count =
        options_.workers > 0 ? options_.workers : std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; ++i)
        workers_.push_back(std::make_unique<Worker>(options_, routes_));

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
    {
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
    return boost::system::in_place_value;
}

awaitable<http::Response> Process::handle(http::Request request) {
    co_return api_.handle(request);
}

awaitable<> Process::end_tasks() {
    co_await tasks_.stop(std::chrono::milliseconds{0});
    control_.stop();
}

void Process::run() {
    for (const auto& worker : workers_)
        worker->start();
    server_->start();
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
    signals_.async_wait([this](error_code failure, int signal) {
        if (failure) return;
        log::info("proxy.stopping", {{"signal", signal}});
        ending_.spawn("stop", OnStop::drain, end_tasks());
    });
    control_.run();
    control_.restart();
    control_.poll();   // what the stop left in the queue: the ends of its tasks
    signals_.clear();  // a second signal ends the process at once
    for (const auto& worker : workers_)
        worker->begin_stop(options_.drain_timeout);
    for (const auto& worker : workers_)
        worker->join();
}

}  // namespace

int run(const ProxyOptions& options) {
    // Whoever started us may be gone, and with it the reader of our log; that must not end us.
    std::signal(SIGPIPE, SIG_IGN);
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
