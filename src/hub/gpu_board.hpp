// What the board shows beside the present: the past of each device, and word of every change.
#pragma once

#include "hub/gpu_feed.hpp"
#include "hub/gpu_history.hpp"

namespace berth::hub {

struct GpuBoard {
    GpuBoard(Context& context, const GpuQueue& queue) : history(context), feed(context, queue) {}

    GpuHistory history;
    GpuFeed feed;
};

}  // namespace berth::hub
