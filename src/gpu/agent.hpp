// The process `berth gpu-agent`: reads NVML and prints one line a snapshot (gpu/agent_report.hpp). It holds
// nothing that matters, so a driver that hangs or crashes takes only this process along; the hub kills it and
// starts another. One thread, blocking calls. Never started by hand.
#pragma once

#include <chrono>
#include <string>

namespace berth::gpu {

struct AgentOptions {
    std::string library = "libnvidia-ml.so.1";  // as dlopen() finds it, or a path
    std::chrono::milliseconds interval{5000};
};

// Runs until stdin closes (the hub died or wants it gone). Returns the exit status.
// The command line, as app/ parses it: gpu-agent --library NAME --interval-ms N
int agent_main(const AgentOptions& options);

}  // namespace berth::gpu
