// The framing law written a second time, from the RFCs and for one whole message at a time: slow, without
// state, each rule a line. What http/framing.hpp accepts must be what this accepts, with the same cuts.
#pragma once

#include "http/framing.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::fuzz {

struct Cut {
    std::size_t bytes = 0;  // of the head
    http::BodyFraming body;
    std::vector<std::pair<std::string, std::string>> fields;
};

// None: refused, or `text` holds no whole head. `text` is shorter than every limit.
std::optional<Cut> request_cut(std::string_view text);
std::optional<Cut> response_cut(std::string_view text, http::AnswersHead answers_head);

// The decoded body and the bytes that its coding took; none when malformed or not whole.
struct Decoded {
    std::string body;
    std::size_t bytes = 0;
};
std::optional<Decoded> chunked_body(std::string_view text);

}  // namespace berth::fuzz
