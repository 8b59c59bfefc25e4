// Simulated GPUs for trials and tests: a stand-in NVML library that reads a model file
// (tests/stand-ins/nvml).
#pragma once

#include "base/result.hpp"
#include "config/options.hpp"

namespace berth::app {

enum class StandInErrc { not_built = 1, not_writable };
std::string_view text_of(StandInErrc reason);
BERTH_ERROR_CATEGORY(StandInErrc, "stand_in")

// Writes the model under state_dir, points the agent at the library beside this program, and marks the
// options as simulated. Errors: not_built, not_writable.
Result<void> use_stand_in_gpus(config::Options& options, unsigned count);

}  // namespace berth::app
