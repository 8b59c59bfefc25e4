// Servers as containers of a Docker Engine, by its HTTP API (1.40 to 1.47) over a Unix socket or TCP.
// Containers sit on a network of Berth's own on which they cannot reach each other. Each carries labels that
// match it to its row (gpu.md E.2); nothing without them is ever touched. Hub strand only.
#pragma once

#include "async/blocking_pool.hpp"
#include "config/options.hpp"
#include "spawn/spawner.hpp"

#include <memory>

namespace berth::spawn {

std::unique_ptr<Spawner> make_docker_spawner(
    BlockingPool& pool, config::DockerOptions docker, config::SpawnOptions spawn);

}  // namespace berth::spawn
