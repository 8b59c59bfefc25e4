#include "http/framing.hpp"
#include "http/impl/characters.hpp"

#include <algorithm>
#include <string>

namespace berth::http {
namespace {

// Of one whole body. An extension on every one-byte chunk would otherwise multiply what a peer makes us read.
constexpr std::size_t kMaxOverheadBytes = 16 * 1024;
constexpr unsigned kMaxSizeDigits = 16;
constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{1} << 62;

Error refusal(FramingErrc reason) {
    return {reason, "The message body cannot be read safely: " + std::string(text_of(reason)) + "."};
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Result<ChunkScanner::Step> ChunkScanner::next(std::string_view data) {
    Step step;
    while (step.consumed < data.size() && state_ != State::done) {
        if (state_ == State::data) {
            if (!step.payload.empty()) return step;  // one contiguous payload a step
            const auto rest = data.size() - step.consumed;
            const auto take = left_ < rest ? static_cast<std::size_t>(left_) : rest;
            step.payload = data.substr(step.consumed, take);
            step.consumed += take;
            left_ -= take;
            if (left_ == 0) state_ = State::data_cr;
            continue;
        }
        if (const auto refused = read_coding(data[step.consumed]); refused != FramingErrc{}) {
            return refusal(refused);
        }
        ++step.consumed;
    }
    step.done = state_ == State::done;
    return step;
}

FramingErrc ChunkScanner::read_coding(char c) {
    switch (state_) {
        case State::size:
            return read_size(c);
        case State::extension:
            if (c == '\r') return go(State::size_lf);
            return in_overhead(c);
        case State::size_lf:
            if (c != '\n') return FramingErrc::bare_carriage_return;
            digits_ = 0;
            return go(left_ == 0 ? State::trailer_start : State::data);
        case State::data_cr:
            return c == '\r' ? go(State::data_lf) : FramingErrc::malformed_chunk_end;
        case State::data_lf:
            return c == '\n' ? go(State::size) : FramingErrc::malformed_chunk_end;
        case State::trailer_start:
            if (c == '\r') return go(State::end_lf);
            if (c == '\n') return FramingErrc::bare_line_feed;
            if (c == ' ' || c == '\t') return FramingErrc::obsolete_folding;
            if (!is_token(c)) return FramingErrc::malformed_field_name;
            state_ = State::trailer_name;
            return in_overhead(c);
        case State::trailer_name:
            return in_trailer_name(c);
        case State::trailer:
            if (c == '\r') return go(State::trailer_lf);
            return in_overhead(c);
        case State::trailer_lf:
            return c == '\n' ? go(State::trailer_start) : FramingErrc::bare_carriage_return;
        case State::end_lf:
            return c == '\n' ? go(State::done) : FramingErrc::bare_carriage_return;
        case State::data:
        case State::done:
            break;  // next() does not come here in these states
    }
    return FramingErrc{};
}

FramingErrc ChunkScanner::read_size(char c) {
    const int digit = hex_digit(c);
    if (digit >= 0) {
        if (++digits_ > kMaxSizeDigits) return FramingErrc::chunk_too_large;
        if (left_ >= kMaxChunkBytes >> 4) return FramingErrc::chunk_too_large;
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        return FramingErrc{};
    }
    if (digits_ == 0) return c == '\n' ? FramingErrc::bare_line_feed : FramingErrc::malformed_chunk_size;
    if (c == '\r') return go(State::size_lf);
    if (c == ';') return go(State::extension);
    // A space before ';' is allowed by no grammar we follow, and parsers differ about it.
    return c == '\n' ? FramingErrc::bare_line_feed : FramingErrc::malformed_chunk_size;
}

// A line that is no field is the next request of somebody who took the last chunk for the end.
FramingErrc ChunkScanner::in_trailer_name(char c) {
    if (c == ':') return go(State::trailer);
    if (c == '\n') return FramingErrc::bare_line_feed;
    return is_token(c) ? in_overhead(c) : FramingErrc::malformed_field_name;
}

FramingErrc ChunkScanner::in_overhead(char c) {
    if (c == '\n') return FramingErrc::bare_line_feed;
    if (is_control(c)) return FramingErrc::malformed_field_value;
    return ++overhead_ > kMaxOverheadBytes ? FramingErrc::trailers_too_large : FramingErrc{};
}

}  // namespace berth::http
