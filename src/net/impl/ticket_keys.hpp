// The keys that TLS session tickets are sealed with (RFC 5077 §5.5), for one listener. A key seals for 12
// hours and opens for 12 more, so that who has the memory of the process today cannot read what was recorded
// the day before. They live in memory only: after a restart a browser shakes hands in full, once. Any thread.
#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>

namespace berth::net {

struct TicketKey {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
};

class TicketKeys {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::hours kSeals{12};

    TicketKey to_seal(Clock::time_point now);
    struct Found {
        TicketKey key;
        bool is_old = false;  // the client should get a new ticket
    };
    std::optional<Found> to_open(std::string_view name, Clock::time_point now);

private:
    void rotate(Clock::time_point now);

    std::mutex mutex_;  // guards what follows
    TicketKey current_, previous_;
    Clock::time_point since_{};
    bool has_current_ = false;
    bool has_previous_ = false;
};

}  // namespace berth::net
