// Servers as processes of this machine: for trials without a container engine, and for machines whose people
// have system accounts. No isolation but that of Unix users. Each runs in a session of its own and outlives
// the hub; it is found again by pid and start time (a pid alone may have been given to somebody else). Hub
// strand only.
#pragma once

#include "async/blocking_pool.hpp"
#include "config/options.hpp"
#include "spawn/spawner.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>

namespace berth::spawn {

// Keeps under `state_dir`: local/ (a record for each process), logs/ (their output), homes/ (for trials).
// `pool` must outlive the spawner.
std::unique_ptr<Spawner> make_local_spawner(
    asio::any_io_executor executor,
    BlockingPool& pool,
    config::LocalOptions local,
    const config::SpawnOptions& spawn,
    const std::string& state_dir);

}  // namespace berth::spawn
