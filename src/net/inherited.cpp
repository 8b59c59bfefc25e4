#include "net/inherited.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

namespace berth::net {
namespace {

// "7=127.0.0.1:8081" lines; a path may hold blanks.
constexpr const char* kInherited = "BERTH_LISTENING_SOCKETS";
bool keeps_for_successor = false;
std::vector<int> kept_for_successor;

bool is_listening(int descriptor) {
    int listens = 0;
    socklen_t size = sizeof listens;
    return descriptor > STDERR_FILENO &&
           ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

std::multimap<std::string, int> read_inherited() {
    std::multimap<std::string, int> found;
    const char* text = std::getenv(kInherited);
    std::istringstream lines(text == nullptr ? "" : text);
    ::unsetenv(kInherited);  // our children have nothing to do with it
    for (std::string line; std::getline(lines, line);) {
        const auto sign = line.find('=');
        const int descriptor = std::atoi(line.c_str());
        if (sign == std::string::npos || !is_listening(descriptor)) continue;
        (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        found.emplace(line.substr(sign + 1), descriptor);
    }
    return found;
}

std::multimap<std::string, int>& inherited_sockets() {
    static std::multimap<std::string, int> sockets = read_inherited();
    return sockets;
}

std::string line_of(int descriptor, const std::string& address) {
    return std::to_string(descriptor).append("=").append(address).append("\n");
}

}  // namespace

int take_inherited(const Endpoint& at) {
    auto& sockets = inherited_sockets();
    const auto found = sockets.find(at.to_string());
    if (found == sockets.end()) return -1;
    const int descriptor = found->second;
    sockets.erase(found);
    return descriptor;
}

bool inherits(const Endpoint& at) {
    return inherited_sockets().contains(at.to_string());
}

void close_inherited() {
    for (const auto& [at, descriptor] : inherited_sockets())
        ::close(descriptor);
    inherited_sockets().clear();
}

void leave_for_successor(const Endpoint& at, int descriptor) {
    if (!keeps_for_successor) return;
    const int kept = ::fcntl(descriptor, F_DUPFD, STDERR_FILENO + 1);  // without FD_CLOEXEC
    if (kept < 0) return;
    kept_for_successor.push_back(kept);
    const char* before = std::getenv(kInherited);
    std::string all = before == nullptr ? "" : before;
    all += line_of(kept, at.to_string());
    ::setenv(kInherited, all.c_str(), 1);
}

void keep_listeners_for_successor() {
    close_inherited();
    keeps_for_successor = true;
}

void close_the_rest_on_exec() {
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", unreadable)) {
        const int descriptor = std::atoi(entry.path().filename().c_str());
        const bool kept = descriptor <= STDERR_FILENO ||
                          std::find(kept_for_successor.begin(), kept_for_successor.end(), descriptor) !=
                              kept_for_successor.end();
        if (!kept) (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
}

std::string name_passed_sockets(const std::vector<PassedSocket>& sockets, int first) {
    std::string setting = std::string(kInherited) + "=";
    for (std::size_t i = 0; i < sockets.size(); ++i)
        setting += line_of(first + static_cast<int>(i), sockets[i].address);
    return setting;
}

}  // namespace berth::net
