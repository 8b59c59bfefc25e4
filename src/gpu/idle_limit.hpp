// How long a GPU may lie unused before it goes to who waits: the longest time while nobody has waited for
// long, less by as much as somebody has, and never less than a third of it. So half an hour unused counts as
// much as half an hour of waiting. Pure. What it gives and costs: docs/decisions/0007.
#pragma once

#include <algorithm>

namespace berth::gpu {

template <class Duration>
constexpr Duration idle_limit(Duration longest, Duration waited) {
    return std::max(longest / 3, longest - std::max(waited, Duration{}));
}

}  // namespace berth::gpu
