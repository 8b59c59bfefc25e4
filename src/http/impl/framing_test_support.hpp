// For tests of this room that read heads: every fragment size, and a head fed as a connection would see it.
#pragma once

#include "http/framing.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace berth::http::test {

inline constexpr std::size_t kFragments[] = {1, 2, 3, 7, 64, 4096};

// The first `fragment` bytes, then twice as many, and so on, until `read` refuses, is done, or has had all.
template <class Read>
auto framing_of(std::string_view text, std::size_t fragment, Read read) {
    for (std::size_t have = std::min(fragment, text.size());; have = std::min(have + fragment, text.size())) {
        auto result = read(text.substr(0, have));
        if (!result || *result == HeadProgress::complete || have == text.size()) return result;
    }
}

}  // namespace berth::http::test
