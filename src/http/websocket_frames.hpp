// Where one WebSocket frame ends and the next begins (RFC 6455 §5.2), for a relay that passes frames on
// unread and must know whether it may put one of its own between two of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::http {

class FrameBoundary {
public:
    void advance(std::string_view bytes);  // the next ones, in order, in pieces of any size
    bool between_frames() const { return head_bytes_ == 0 && payload_left_ == 0; }

private:
    std::size_t take_head(std::string_view bytes);

    std::uint64_t payload_left_ = 0;
    std::uint64_t length_ = 0;     // as far as the head has said it
    std::uint8_t head_bytes_ = 0;  // of the head under way, which are here
    std::uint8_t head_size_ = 0;   // known from its second byte on
    std::uint8_t mask_size_ = 0;
};

// A server's Close frame that says "going away" (1001, RFC 6455 §7.4.1).
inline constexpr std::string_view kGoingAway{"\x88\x02\x03\xe9", 4};

}  // namespace berth::http
