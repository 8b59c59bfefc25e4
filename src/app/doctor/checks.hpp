// The checks of `berth doctor`. They change nothing that lasts: containers they start are removed, files they
// write too. The network of docker.network is made when it is missing, as the hub itself would. They block,
// and a hub may run beside them.
#pragma once

#include "app/doctor/report.hpp"
#include "async/awaitable.hpp"
#include "config/options.hpp"
#include "gpu/agent_report.hpp"
#include "spawn/spawners/docker/engine.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::app {

// Found out by one check, of use to others.
struct Facts {
    bool hub_runs = false;
    std::uint16_t hub_port = 0;  // of the hub's own listener, when the database knows it
    std::vector<gpu::DeviceReading> devices;
    std::string sound_image;  // the first that works, for what needs a container
};

// machine.cpp
void check_state_dir(const config::Options& options, Report& report);
void check_database(const config::Options& options, Facts& facts, Report& report);
void check_clock(const config::Options& options, Report& report);
void check_limits(Report& report);
// hub.cpp
void check_hub(const config::Options& options, Facts& facts, Report& report);
void check_ports(const config::Options& options, const Facts& facts, Report& report);
// gpus.cpp
void check_gpus(const config::Options& options, Facts& facts, Report& report);
// local.cpp
void check_local(const config::Options& options, Report& report);
// engine.cpp, containers.cpp
awaitable<bool> check_engine(const config::Options& options, spawn::docker::Engine& engine, Report& report);
awaitable<> check_images(
    const config::Options& options, Facts& facts, spawn::docker::Engine& engine, Report& report);
awaitable<> check_reach(
    const config::Options& options, const Facts& facts, spawn::docker::Engine& engine, Report& report);
awaitable<> check_gpu_modes(
    const config::Options& options, const Facts& facts, spawn::docker::Engine& engine, Report& report);

}  // namespace berth::app
