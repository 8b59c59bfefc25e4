// Ports for notebooks that are about to start. The kernel calls a port free until it is bound, and a notebook
// needs seconds for that: of many that start at once two might be given the same one, and the second be told
// to be ready by the first's answers. So one that was given out is not given again for longer than a start
// may take. Nor is it one that the kernel takes for outgoing connections: the hub asks a booting notebook
// hundreds of times, and sooner or later such a connection would get the notebook's own port, and keep it.
// Any thread.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>

namespace berth::spawn::local {

class Ports {
public:
    // Error: backend_failed.
    Result<std::uint16_t> take();

private:
    Result<std::uint16_t> candidate();

    std::mutex mutex_;
    std::minstd_rand random_{std::random_device{}()};
    std::map<std::uint16_t, std::chrono::steady_clock::time_point> given_;
};

}  // namespace berth::spawn::local
