// What a server wrote last, made fit to be shown to its owner. Pure.
#pragma once

#include <string>
#include <string_view>

namespace berth::spawn {

// The last lines, without colours and control characters; bytes that are no UTF-8 become '?'.
std::string last_lines(std::string_view log, std::size_t most_lines = 20, std::size_t most_bytes = 4096);

}  // namespace berth::spawn
