// The network of Berth's own that user containers sit on: a bridge on which they cannot reach each other
// (inter-container communication is off) and reach the hub at the gateway. Hub strand only.
#pragma once

#include "spawn/spawners/docker/engine.hpp"

#include <string>
#include <vector>

namespace berth::spawn::docker {

class Network {
public:
    Network(Engine& engine, std::string name) : engine_(engine), name_(std::move(name)) {}

    // Finds or makes it. One that was removed is made again with the same addresses, since the hub listens
    // there. Of several with this name the one in use or the oldest is kept and the others are removed, when
    // Berth made them and nothing is on them. Errors: backend_unreachable, backend_failed, bad_request (one
    // that is there lets containers reach each other, or several must stay).
    awaitable<Result<void>> ensure(Deadline deadline);
    const std::string& name() const { return name_; }
    const std::string& gateway() const { return gateway_; }

private:
    // Whole, oldest first.
    awaitable<Result<std::vector<json::object>>> of_this_name(Deadline deadline);
    awaitable<Result<void>> choose(Deadline deadline);
    awaitable<Result<void>> remove(std::string id, Deadline deadline);
    Result<void> read(const json::value& document);
    json::object request() const;

    Engine& engine_;
    std::string name_;
    std::string gateway_;
    std::string subnet_;
};

}  // namespace berth::spawn::docker
