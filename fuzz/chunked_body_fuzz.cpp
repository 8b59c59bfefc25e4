#include "input.hpp"
#include "reference.hpp"

#include <algorithm>
#include <string>

using namespace berth;

namespace {

enum class End { done, refused, more };

// Fed in pieces of `piece` bytes, as a connection gives them.
End scan(std::string_view text, std::size_t piece, fuzz::Decoded& decoded) {
    http::ChunkScanner scanner;
    while (decoded.bytes < text.size()) {
        const auto step = scanner.next(text.substr(decoded.bytes, piece));
        if (!step) return End::refused;
        fuzz::check(step->consumed > 0, "a step takes something");
        decoded.body += step->payload;
        decoded.bytes += step->consumed;
        if (step->done) return End::done;
    }
    return End::more;
}

}  // namespace

// The first byte is the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 16 * 1024) return 0;  // of extensions and trailers more is refused
    const auto text = fuzz::text_of(data, size).substr(1);
    fuzz::Decoded ours;
    const auto end = scan(text, std::max<std::size_t>(1, data[0]), ours);
    const auto want = fuzz::chunked_body(text);
    fuzz::check(want.has_value() == (end == End::done), "the reference comes to the same end");
    if (!want) return 0;
    fuzz::check(ours.body == want->body, "the body is the same");
    fuzz::check(ours.bytes == want->bytes, "the coding ends at the same byte");
    return 0;
}
