#include "app/proxy_process.hpp"

#include "app/restart_pause.hpp"
#include "base/files.hpp"
#include "base/program.hpp"
#include "base/random.hpp"
#include "http/client.hpp"
#include "obs/log.hpp"
#include "proxy/handover.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace berth::app {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kHandoverTime{15'000};

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

std::string name_of(int pid) {
    return contents_of("/proc/" + std::to_string(pid) + "/comm").value_or("");
}

// Not one that only ends its last connections after a hand-over, nor one that has not taken over yet.
bool is_our_proxy(int pid, const std::vector<std::string>& command, const std::string& api_socket) {
    if (command.size() < 3 || command[1] != "proxy" ||
        std::find(command.begin(), command.end(), api_socket) == command.end())
        return false;
    const auto name = name_of(pid);
    return !name.starts_with(proxy::kDrainingName) && !name.starts_with(proxy::kStartingName);
}

// Without the program, whose path an upgrade may change, and what follows the log level: a proxy that serves
// the right address is not replaced for these.
std::vector<std::string> serving(const std::vector<std::string>& command) {
    std::vector<std::string> kept(command.begin() + 1, command.end());
    const auto level = std::find(kept.begin(), kept.end(), "--log-level");
    return {kept.begin(), level};
}

std::vector<int> all_pids() {
    std::vector<int> pids;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") == std::string::npos) pids.push_back(std::stoi(name));
    }
    return pids;
}

// By what the file is, not by its name: a package puts another file at the same path.
bool runs_program(int pid, const std::string& program) {
    struct stat running{};
    struct stat wanted{};
    if (::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &running) != 0)
        return true;  // no way to know
    if (::stat(program.c_str(), &wanted) != 0) return true;
    return running.st_dev == wanted.st_dev && running.st_ino == wanted.st_ino;
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

std::string ProxyProcess::log_file() const {
    return options_.state_dir + "/logs/proxy.log";
}

std::vector<std::string> ProxyProcess::arguments() const {
    std::vector<std::string> words = {
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
    if (!options_.tls.certificate.empty())
        words.insert(words.end(), {"--ssl-cert", options_.tls.certificate, "--ssl-key", options_.tls.key});
    if (!options_.tls_folder.empty()) words.insert(words.end(), {"--ssl-dir", options_.tls_folder});
    if (!options_.acme_webroot.empty()) words.insert(words.end(), {"--acme-webroot", options_.acme_webroot});
    if (options_.redirect_port != 0)
        words.insert(words.end(), {"--redirect-port", std::to_string(options_.redirect_port)});
    return words;
}

int ProxyProcess::running_pid() const {
    const auto wanted = serving(arguments());
    int found = 0;
    for (const int pid : all_pids()) {
        const auto command = command_of(pid);
        if (!is_our_proxy(pid, command, api().path)) continue;
        if (found == 0 && serving(command) == wanted) {
            found = pid;
            continue;
        }
        log::info("proxy.replaced", {{"pid", pid}, {"why", "it serves another address or hub"}});
        end_process(pid, SIGTERM);
    }
    return found;
}

Result<int> ProxyProcess::start() {
    std::error_code failure;
    std::filesystem::create_directories(options_.state_dir + "/logs", failure);
    const std::string log_path = log_file();
    const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0)
        return Error{
            ProxyErrc::state_unwritable,
            "Cannot write " + log_path + ". Give the user of the hub write access to state_dir."};
    auto words = arguments();
    words.insert(words.end(), {"--log-level", options_.log_level, "--log-file", log_path});
    words.insert(words.end(), {"--edge-cache-bytes", std::to_string(options_.edge_cache_bytes)});
    std::vector<std::string> settings = {"CONFIGPROXY_AUTH_TOKEN=" + options_.token.reveal()};
    if (!options_.tls.passphrase.empty())
        settings.push_back("CONFIGPROXY_SSL_KEY_PASSPHRASE=" + options_.tls.passphrase);
    for (const char* name : {"PATH", "LANG", "HOME"}) {
        if (const char* value = std::getenv(name)) settings.push_back(std::string(name) + "=" + value);
    }
    const int pid = fork_detached(pointers_to(words), pointers_to(settings), log);
    ::close(log);
    if (pid < 0)
        return Error{ProxyErrc::not_started, "The proxy could not be started: out of processes or memory."};

    log::info("proxy.started", {{"pid", pid}, {"at", options_.public_at.to_string()}});
    return pid;
}

awaitable<Result<void>> ProxyProcess::ensure(const asio::any_io_executor& executor, Deadline deadline) {
    pid_ = running_pid();
    if (pid_ != 0) {
        auto answers = co_await wait_until_it_answers(Deadline::in(2s));
        if (answers) {
            log::info("proxy.adopted", {{"pid", pid_}});
            if (!runs_program(pid_, options_.program)) co_await bring_up_to_date();
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

awaitable<> ProxyProcess::bring_up_to_date() {
    const int before = pid_;
    const auto deadline = Deadline::in(kHandoverTime);
    const auto called = name_of(before);
    ::kill(before, SIGUSR2);
    while (!deadline.passed()) {
        const auto calls_itself = name_of(before);
        if (calls_itself != called && calls_itself.starts_with(proxy::kKeptName)) break;  // it was refused
        const int now = is_our_proxy(before, command_of(before), api().path) ? before : running_pid();
        if (now != before && now != 0) {
            pid_ = now;
            log::info("proxy.upgraded", {{"pid", now}, {"before", before}});
            co_return;
        }
        co_await sleep_for(10ms);
    }
    log::error(
        "proxy.not_upgraded",
        {{"pid", before}, {"why", "see logs/proxy.log"}, {"act", "the old one serves"}});
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
    const auto said = last_lines(contents_of(log_file()).value_or(""));
    co_return Error{ProxyErrc::not_started, "The proxy does not answer. It said: " + said, said};
}

awaitable<> ProxyProcess::supervise(std::function<void()> on_restart) {
    const auto executor = co_await asio::this_coro::executor;
    RestartPause pause;
    for (;;) {
        const auto begin = std::chrono::steady_clock::now();
        const int watched = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
        if (watched >= 0) {
            asio::posix::stream_descriptor ended(executor, watched);
            co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        }
        if (pid_ > 0) ::waitpid(pid_, nullptr, WNOHANG);
        log::error("proxy.ended", {{"pid", pid_}, {"act", "starting it again"}});
        auto lived = std::chrono::steady_clock::now() - begin;
        for (bool answers = false; !answers; lived = {}) {
            co_await sleep_for(pause.after(lived));
            const auto ready = co_await ensure(executor, Deadline::in(5s));
            answers = ready.has_value();
            if (!answers) log::error("proxy.not_started", {{"why", ready.error().message}});
        }
        on_restart();
    }
}

void ProxyProcess::stop() {
    if (pid_ > 0 && is_our_proxy(pid_, command_of(pid_), api().path)) ::kill(pid_, SIGTERM);
}

}  // namespace berth::app
