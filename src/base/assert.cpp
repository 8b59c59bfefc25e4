#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace berth {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "berth: assertion failed: %s (%s:%d)\n", expression, file, line);
    std::abort();
}

}  // namespace berth
