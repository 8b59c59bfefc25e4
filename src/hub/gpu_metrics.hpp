// The metrics of gpu.md E.12 that the hub knows: leases, devices, the queue. Hub strand only.
#pragma once

#include "hub/gpu_queue.hpp"

namespace berth::hub {

// Sets the gauges to what is so now.
void show_gpu_metrics(const Context& context, const GpuQueue& queue);
// A start has its devices after so long in the queue; 0 when they were free.
void count_gpu_wait(double waited_seconds);
// A server was stopped because somebody waited for its unused GPU.
void count_gpu_reclaim();

}  // namespace berth::hub
