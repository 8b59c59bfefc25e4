// A container that runs one shell line and is gone again.
#pragma once

#include "spawn/spawners/docker/engine.hpp"

#include <string>

namespace berth::app {

struct ContainerResult {
    int exit_code = -1;
    std::string output;
};

// `request`: a create request; its command becomes /bin/sh -c `line`. The container is removed whatever
// happens to it. Errors: what the engine said, as the message.
awaitable<Result<ContainerResult>> run_in_container(
    spawn::docker::Engine& engine, json::object request, std::string line, Deadline deadline);

}  // namespace berth::app
