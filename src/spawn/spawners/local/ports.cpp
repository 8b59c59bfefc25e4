#include "spawn/spawners/local/ports.hpp"

#include "spawn/spawners/local/process.hpp"

#include <fstream>

namespace berth::spawn::local {
namespace {

constexpr std::chrono::minutes kLongestStart{10};
constexpr int kMostTries = 10'000;
constexpr std::uint16_t kLowest = 10'000;

// Where the ports of outgoing connections begin.
std::uint16_t first_outgoing() {
    std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
    std::uint16_t first = 0;
    return file >> first ? first : 32'768;
}

}  // namespace

// Any free one of the kernel's where outgoing connections leave no room below theirs.
Result<std::uint16_t> Ports::candidate() {
    static const std::uint16_t end = first_outgoing();
    if (end < kLowest + 1000) return free_port();
    for (int tries = 0; tries < 100; ++tries) {
        const auto port = std::uniform_int_distribution<int>(kLowest, end - 1)(random_);
        if (is_free(static_cast<std::uint16_t>(port))) return static_cast<std::uint16_t>(port);
    }
    return free_port();
}

Result<std::uint16_t> Ports::take() {
    const std::lock_guard guard(mutex_);
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(given_, [now](const auto& entry) { return now - entry.second > kLongestStart; });
    for (int tries = 0; tries < kMostTries; ++tries) {
        BERTH_TRY(const auto port, candidate());
        if (given_.emplace(port, now).second) return port;
    }
    return Error{SpawnErrc::backend_failed, "This machine has no free port for a notebook."};
}

}  // namespace berth::spawn::local
