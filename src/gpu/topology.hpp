// The set of devices that is linked best, while those left over stay well linked among themselves (gpu.md
// E.3): the largest w(S) − λ·cut(S, rest). Exact up to kExactCandidates, above that greedy with pair swaps.
#pragma once

#include "gpu/policy.hpp"

namespace berth::gpu {

inline constexpr std::size_t kExactCandidates = 16;

// For Policy::topology; choice.link is set and there are more candidates than asked for. Ties: larger w(S),
// then device order.
std::vector<std::uint32_t> choose_by_links(const Choice& choice, std::span<const Candidate> candidates);

}  // namespace berth::gpu
