// BERTH_ASSERT: a provable invariant. Always on; prints where and aborts. Never for input.
#pragma once

namespace berth {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}

#define BERTH_ASSERT(expression) \
    (static_cast<bool>(expression) ? void(0) : ::berth::assertion_failed(#expression, __FILE__, __LINE__))
