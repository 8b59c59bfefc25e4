#include "gpu/agent.hpp"

#include "gpu/scanner.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string_view>

namespace berth::gpu {
namespace {

using Clock = std::chrono::steady_clock;

bool write_line(std::string line) {
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

// Waits until `moment`; false when stdin closed before it: the hub is gone or wants us gone.
bool sleep_until(Clock::time_point moment) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - Clock::now()).count();
        if (left <= 0) return true;
        pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&input, 1, static_cast<int>(left));
        if (ready < 0 && errno != EINTR) return false;
        if (ready <= 0) continue;
        char ignored[64];
        if (::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return false;
    }
}

}  // namespace

int agent_main(const AgentOptions& options) {
    // Both ways of learning that the hub died: the signal works even while a call hangs, the closed pipe also
    // when the hub is killed between fork and this line.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return 1;

    std::unique_ptr<Scanner> scanner;
    Clock::time_point next;
    do {
        next = Clock::now() + options.interval;
        AgentReport report;
        if (!scanner) {
            auto library =
                nvml::Library::load(options.library);  // each time: a driver may be installed meanwhile
            if (library) {
                scanner = std::make_unique<Scanner>(*std::move(library));
            } else {
                report = library.error();
            }
        }
        if (scanner) report = scanner->scan();
        if (!write_line(to_line(report))) return 0;
        // "Unknown error" is also what a process gets that lost its devices (gpu.md B.3): only a new one sees
        // them.
        const auto* error = std::get_if<AgentError>(&report);
        if (error && error->code == nvml::kUnknown) return 1;
    } while (sleep_until(next));
    return 0;
}

}  // namespace berth::gpu
