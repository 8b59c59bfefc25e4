#include "head.hpp"

using namespace berth;

// The first byte says whether the answer is to a HEAD.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > fuzz::kLongest) return 0;
    const auto to_head = data[0] % 2 == 1 ? http::AnswersHead::yes : http::AnswersHead::no;
    const auto read = [to_head](std::string_view bytes, http::ResponseHead& head) {
        return http::read_response_head(bytes, {fuzz::kLongest * 2, fuzz::kLongest}, to_head, head);
    };
    const auto reference = [to_head](std::string_view bytes) { return fuzz::response_cut(bytes, to_head); };
    fuzz::compare_heads<http::ResponseHead>(fuzz::text_of(data, size).substr(1), read, reference);
    return 0;
}
