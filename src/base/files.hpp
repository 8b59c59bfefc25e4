// Files read whole, /proc among them.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>

namespace berth {

// Empty when it cannot be read to its end, or holds more than `most` bytes. A folder opens and cannot be
// read; /proc of a process that ends meanwhile likewise (ESRCH). Neither throws, as std::istreambuf_iterator
// does.
std::optional<std::string> contents_of(
    const std::string& path, std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace berth
