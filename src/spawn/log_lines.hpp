// What a server wrote last, made fit to be shown to its owner. Pure.
#pragma once

#include <string>
#include <string_view>

namespace berth::spawn {

// The last 20 lines, at most 4 KiB, without colours and control characters; bytes that are no UTF-8 become
// '?'.
std::string last_lines(std::string_view log);

}  // namespace berth::spawn
