#include "head.hpp"

using namespace berth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    if (text.size() > fuzz::kLongest) return 0;
    const auto read = [](std::string_view bytes, http::RequestHead& head) {
        return http::read_request_head(bytes, {fuzz::kLongest * 2, fuzz::kLongest}, head);
    };
    fuzz::compare_heads<http::RequestHead>(text, read, fuzz::request_cut);
    return 0;
}
