// One head, read by the product and by the reference: the same decision, the same cut, however it came.
#pragma once

#include "input.hpp"
#include "reference.hpp"

#include <algorithm>
#include <string>

namespace berth::fuzz {

inline constexpr std::size_t kLongest = 60 * 1024;  // below every limit, which the reference does not know

// `read(text, head)` is the product, `cut(text)` the reference.
template <class Head, class Read, class Reference>
void compare_heads(std::string_view text, Read read, Reference cut) {
    Head head;
    const auto progress = read(text, head);
    // Whatever is refused early stays refused when its end comes.
    if (!progress) return check(!cut(std::string(text) + "\r\n\r\n"), "the reference refuses it too");
    if (*progress == http::HeadProgress::incomplete)
        return check(!cut(text), "the reference finds no whole head");
    const auto want = cut(text);
    check(want.has_value(), "the reference accepts it too");
    check(head.bytes == want->bytes, "the head ends at the same byte");
    check(head.body.kind == want->body.kind, "the body has the same kind");
    check(head.body.length == want->body.length, "the body has the same length");
    const bool same = std::equal(
        head.fields.begin(),
        head.fields.end(),
        want->fields.begin(),
        want->fields.end(),
        [](const auto& ours, const auto& theirs) {
            return ours.name == theirs.first && ours.value == theirs.second;
        });
    check(same, "the fields are the same");
    Head in_pieces;  // judged early, from a part
    const auto early = read(text.substr(0, head.bytes - 1), in_pieces);
    check(early && *early == http::HeadProgress::incomplete, "without its last byte it is incomplete");
}

}  // namespace berth::fuzz
