// One file for each process under state_dir/local/, written before the program runs: what a later hub needs
// to find it. No secrets. A file that cannot be read is an Error (backend_failed), not a missing one.
// Blocking.
#pragma once

#include "spawn/spawner.hpp"
#include "spawn/spawners/local/process.hpp"

#include <optional>
#include <string>
#include <vector>

namespace berth::spawn::local {

struct Record {
    json::object plan;  // StartPlan::to_stored()
    ProcessId process;
    std::uint16_t port = 0;

    SpawnState state() const;
};
std::optional<Record> from_state(const SpawnState& state);  // without the plan

class Records {
public:
    explicit Records(std::string folder) : folder_(std::move(folder)) {}

    Result<void> save(const Record& record) const;  // atomically
    Result<std::optional<Record>> load(const std::string& instance, ServerId server) const;
    void remove(const std::string& instance, ServerId server) const;
    Result<std::vector<Record>> all(const std::string& instance) const;

private:
    std::string path_of(const std::string& instance, ServerId server) const;
    std::string folder_;
};

}  // namespace berth::spawn::local
