#include "http/websocket_frames.hpp"

#include <algorithm>

namespace berth::http {
namespace {

constexpr std::uint8_t kFixedHead = 2;
constexpr std::uint8_t kMaskSize = 4;
constexpr std::uint8_t kMaskBit = 0x80;

// Of the extended length: none, 16 or 64 bits.
std::uint8_t length_size(std::uint64_t short_length) {
    return short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
}

}  // namespace

void FrameBoundary::advance(std::string_view bytes) {
    while (!bytes.empty()) {
        if (payload_left_ == 0) {
            bytes.remove_prefix(take_head(bytes));
            continue;
        }
        const auto count = std::min<std::uint64_t>(payload_left_, bytes.size());
        payload_left_ -= count;
        bytes.remove_prefix(count);
    }
}

// Takes bytes until the head is whole or they end; a whole head leaves its payload to be counted.
std::size_t FrameBoundary::take_head(std::string_view bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const auto byte = static_cast<std::uint8_t>(bytes[taken++]);
        ++head_bytes_;
        if (head_bytes_ == kFixedHead) {
            const std::uint64_t said = byte & 0x7FU;
            const auto extended = length_size(said);
            length_ = extended == 0 ? said : 0;
            head_size_ =
                static_cast<std::uint8_t>(kFixedHead + extended + ((byte & kMaskBit) != 0 ? kMaskSize : 0));
            mask_size_ = (byte & kMaskBit) != 0 ? kMaskSize : 0;
        } else if (head_bytes_ > kFixedHead && head_bytes_ <= head_size_ - mask_size_) {
            length_ = length_ << 8U | byte;
        }
        if (head_bytes_ < kFixedHead || head_bytes_ < head_size_) continue;
        payload_left_ = length_;
        head_bytes_ = head_size_ = 0;
        break;
    }
    return taken;
}

}  // namespace berth::http
