#include "app/proxy_process.hpp"

#include "base/json.hpp"
#include "base/random.hpp"
#include "http/client.hpp"
#include "obs/log.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string last_lines(const std::string& text) {
    constexpr std::size_t kShown = 800;
    return text.size() <= kShown ? text : text.substr(text.size() - kShown);
}

// Between fork and exec only async-signal-safe calls are allowed, so everything is prepared before.
int fork_detached(const std::vector<char*>& argv, const std::vector<char*>& environment, int log) {
    const int pid = ::fork();
    if (pid != 0) return pid;
    ::setsid();
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    ::execve(argv[0], argv.data(), environment.data());
    ::_exit(127);
}

bool is_our_proxy(int pid, const std::string& api_socket) {
    const std::string command = read_file("/proc/" + std::to_string(pid) + "/cmdline");
    return command.find(api_socket) != std::string::npos;
}

// Waits at most 5 s until it has ended and its address is free again.
void end_process(int pid, int signal) {
    ::kill(pid, signal);
    for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i) {
        ::waitpid(pid, nullptr, WNOHANG);  // where it is our child
        ::usleep(10'000);
    }
}

}  // namespace

std::string_view text_of(ProxyErrc reason) {
    switch (reason) {
        case ProxyErrc::address_in_use:
            return "address in use";
        case ProxyErrc::not_started:
            return "not started";
        case ProxyErrc::state_unwritable:
            return "state directory not writable";
    }
    return "unknown";
}

net::Endpoint ProxyProcess::api() const {
    net::Endpoint endpoint;
    endpoint.path = options_.state_dir + "/proxy.sock";
    return endpoint;
}

std::vector<std::string> ProxyProcess::arguments() const {
    return {
        options_.program,
        "proxy",
        "--ip",
        options_.public_at.host.empty() ? "*" : options_.public_at.host,
        "--port",
        std::to_string(options_.public_at.port),
        "--api-socket",
        api().path,
        "--default-target",
        options_.default_target,
        "--error-target",
        options_.error_target,
        "--routes-file",
        options_.state_dir + "/proxy-routes.json"};
}

// Without the log level: a proxy that serves the right address is not replaced for what it writes.
json::array ProxyProcess::recorded_arguments() const {
    json::array kept;
    const auto all = arguments();
    for (std::size_t i = 1; i < all.size(); ++i)
        kept.emplace_back(all[i]);
    return kept;
}

int ProxyProcess::running_pid() const {
    const auto record = parse_json(read_file(record_path()));
    if (!record || !record->is_object()) return 0;
    const auto& object = record->get_object();
    const auto pid = static_cast<int>(int_at(object, "pid").value_or(0));
    if (pid <= 0 || ::kill(pid, 0) != 0 || !is_our_proxy(pid, api().path)) return 0;
    const auto* had = array_at(object, "arguments");
    if (had != nullptr && *had == recorded_arguments()) return pid;
    log::info("proxy.replaced", {{"pid", pid}, {"why", "it serves another address or hub"}});
    end_process(pid, SIGTERM);
    return 0;
}

Result<int> ProxyProcess::start() {
    std::error_code failure;
    std::filesystem::create_directories(options_.state_dir + "/logs", failure);
    const std::string log_path = options_.state_dir + "/logs/proxy.log";
    const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0)
        return Error{
            ProxyErrc::state_unwritable,
            "Cannot write " + log_path + ". Give the user of the hub write access to state_dir."};
    auto words = arguments();
    words.insert(words.end(), {"--log-level", options_.log_level});
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> settings = {"CONFIGPROXY_AUTH_TOKEN=" + options_.token.reveal()};
    for (const char* name : {"PATH", "LANG", "HOME"}) {
        if (const char* value = std::getenv(name)) settings.push_back(std::string(name) + "=" + value);
    }
    std::vector<char*> environment;
    environment.reserve(settings.size() + 1);
    for (auto& setting : settings)
        environment.push_back(setting.data());
    environment.push_back(nullptr);
    const int pid = fork_detached(argv, environment, log);
    ::close(log);
    if (pid < 0)
        return Error{ProxyErrc::not_started, "The proxy could not be started: out of processes or memory."};

    std::ofstream record(record_path(), std::ios::trunc);
    record << json::serialize(json::object{{"pid", pid}, {"arguments", recorded_arguments()}}) << "\n";
    log::info("proxy.started", {{"pid", pid}, {"at", options_.public_at.to_string()}});
    return pid;
}

awaitable<Result<void>> ProxyProcess::ensure(const asio::any_io_executor& executor, Deadline deadline) {
    pid_ = running_pid();
    if (pid_ != 0) {
        auto answers = co_await wait_until_it_answers(Deadline::in(2s));
        if (answers) {
            log::info("proxy.adopted", {{"pid", pid_}});
            co_return Result<void>{};
        }
        end_process(pid_, SIGKILL);  // it is ours, by pid and socket, and does not answer
    }
    {
        // Tried here first, so that the refusal names the option instead of a log file.
        auto probe = net::Listener::open(executor, options_.public_at);
        if (!probe && probe.error().is(net::NetErrc::address_in_use))
            co_return Error{
                ProxyErrc::address_in_use,
                "bind_url: " + options_.public_at.to_string() +
                    " is in use by another program. Stop it, or choose another port in bind_url.",
                probe.error().detail};
        if (!probe) co_return probe.error();
    }
    BERTH_CO_TRY(pid_, start());
    co_return co_await wait_until_it_answers(deadline);
}

awaitable<Result<void>> ProxyProcess::wait_until_it_answers(Deadline deadline) {
    http::Client client(api(), 64 * 1024 * 1024, 1);
    while (!deadline.passed()) {
        http::ClientRequest request;
        request.target = "/api/routes";
        request.headers = {{"Authorization", "token " + options_.token.reveal()}};
        auto answer = co_await client.send(std::move(request), deadline.earliest(Deadline::in(2s)));
        if (answer && answer->status == 200) co_return Result<void>{};
        int status = 0;
        if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) break;
        co_await sleep_for(3ms);
    }
    const auto said = last_lines(read_file(options_.state_dir + "/logs/proxy.log"));
    co_return Error{ProxyErrc::not_started, "The proxy does not answer. It said: " + said, said};
}

awaitable<> ProxyProcess::supervise(std::function<void()> on_restart) {
    const auto executor = co_await asio::this_coro::executor;
    auto pause = 100ms;
    for (;;) {
        const auto begin = std::chrono::steady_clock::now();
        const int watched = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
        if (watched >= 0) {
            asio::posix::stream_descriptor ended(executor, watched);
            co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        }
        if (pid_ > 0) ::waitpid(pid_, nullptr, WNOHANG);
        log::error("proxy.ended", {{"pid", pid_}, {"act", "starting it again"}});
        pause = std::chrono::steady_clock::now() - begin > 10s
                    ? 100ms
                    : std::min<std::chrono::milliseconds>(pause * 2, 10s);
        auto ready = co_await ensure(executor, Deadline::in(5s));
        if (ready)
            on_restart();
        else
            log::error("proxy.not_started", {{"why", ready.error().message}});
        co_await sleep_for(pause);
    }
}

void ProxyProcess::stop() {
    if (pid_ > 0 && is_our_proxy(pid_, api().path)) ::kill(pid_, SIGTERM);
}

}  // namespace berth::app
