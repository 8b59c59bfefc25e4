// `berth serve`: the hub process. Builds every room, starts them in order and stops them in the reverse
// order.
#pragma once

#include "config/options.hpp"

namespace berth::app {

// Returns the exit code. `stand_in_gpus`: how many simulated GPUs to offer; 0: none.
int serve(config::Options options, unsigned stand_in_gpus);

}  // namespace berth::app
