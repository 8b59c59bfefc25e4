// The adapter itself: start in start.cpp; stop, poll, list and verify in objects.cpp; what is foreign in
// foreign.cpp; watch in watch.cpp.
#pragma once

#include "async/blocking_pool.hpp"
#include "spawn/spawners/docker/containers.hpp"
#include "spawn/spawners/docker/create_request.hpp"
#include "spawn/spawners/docker/engine.hpp"
#include "spawn/spawners/docker/image_reader.hpp"
#include "spawn/spawners/docker/images.hpp"
#include "spawn/spawners/docker/network.hpp"

#include <optional>
#include <string>
#include <unordered_map>

namespace berth::spawn::docker {

class DockerSpawner final : public Spawner {
public:
    DockerSpawner(
        net::Endpoint at, BlockingPool& pool, config::DockerOptions options, config::SpawnOptions spawn);

    std::string_view name() const override { return "docker"; }
    ImageFiles* image_files() override { return &image_reader_; }
    std::string hub_listen_address() const override;
    awaitable<Result<void>> check(Deadline deadline) override;
    awaitable<Result<Endpoint>> start(StartPlan plan, Progress progress, Deadline deadline) override;
    awaitable<Result<void>> verify(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<void>> stop(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<Status>> poll(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<Result<std::string>> log(
        StartPlan plan, SpawnState state, std::size_t lines, Deadline deadline) override;
    awaitable<Result<Listing>> list(std::string instance, ListOf what, Deadline deadline) override;
    awaitable<Result<Secret>> token_of(StartPlan plan, SpawnState state, Deadline deadline) override;
    awaitable<> watch(std::string instance, Watcher watcher) override;

private:
    // start.cpp
    awaitable<Result<Inspected>> create_and_start(StartPlan plan, Progress progress, Deadline deadline);
    awaitable<Result<std::string>> create(StartPlan plan, Progress progress, Deadline deadline);
    awaitable<Result<std::optional<std::string>>> settle_conflict(
        StartPlan plan, std::string name, Deadline deadline);
    awaitable<> add_lab_notice(std::string id, Deadline deadline);
    awaitable<Result<void>> run(StartPlan plan, std::string id, Deadline deadline);
    awaitable<Error> why_it_ended(Inspected container, Deadline deadline);
    GpuMode mode_for(const StartPlan& plan) const;
    bool fall_back(const StartPlan& plan);

    // objects.cpp
    awaitable<Result<std::optional<Inspected>>> inspect(std::string id, Deadline deadline);
    awaitable<Result<std::optional<Inspected>>> find(StartPlan plan, SpawnState state, Deadline deadline);
    awaitable<Result<std::vector<Found>>> list_labelled(std::vector<std::string> labels, Deadline deadline);
    awaitable<Result<void>> remove(std::string id, Deadline deadline);
    awaitable<Result<void>> end(std::string id, Deadline deadline);
    awaitable<Result<bool>> is_kept(std::string id, Deadline deadline);
    awaitable<std::string> last_log_lines(std::string id, Deadline deadline);

    // foreign.cpp
    awaitable<std::vector<Foreign>> look_at(std::vector<Running> others, Deadline deadline);

    // watch.cpp
    struct Seen;
    awaitable<Result<void>> follow(std::string instance, const Watcher& watcher);
    awaitable<> take(Event event, Seen& seen, const Watcher& watcher);
    awaitable<> take(NetworkEvent event, std::string instance, Seen& seen, const Watcher& watcher);
    awaitable<Status> status_of_dead(Event event);

    BlockingPool& pool_;
    config::DockerOptions options_;
    config::SpawnOptions spawn_;
    Engine engine_;
    Images images_;
    ImageReader image_reader_;
    Network network_;
    std::unordered_map<std::string, std::vector<std::string>> claims_;  // of foreign containers, by id
    std::optional<GpuMode> fallen_back_;                                // what gpu_mode "auto" has come to
};

}  // namespace berth::spawn::docker
