// Files of images by the engine's archive call. It reads containers only, so one is made from the image,
// never started, and removed. Hub strand only; one save() at a time.
#pragma once

#include "async/blocking_pool.hpp"
#include "spawn/image_files.hpp"
#include "spawn/spawners/docker/engine.hpp"

namespace berth::spawn::docker {

class ImageReader final : public ImageFiles {
public:
    ImageReader(Engine& engine, BlockingPool& pool) : engine_(engine), pool_(pool) {}

    awaitable<Result<ImageFacts>> facts(std::string image, Deadline deadline) override;
    awaitable<Result<std::vector<Wanted>>> save(
        std::string id, std::vector<Wanted> wanted, std::uint64_t most_bytes, Deadline deadline) override;

private:
    awaitable<Result<std::string>> make_container(std::string id, Deadline deadline);
    awaitable<> remove_left_ones(Deadline deadline);
    awaitable<> remove(std::string container);
    awaitable<Result<std::vector<Wanted>>> copy_out(
        std::string container, std::vector<Wanted> wanted, std::uint64_t most_bytes, Deadline deadline);
    awaitable<Result<bool>> copy_folder(
        std::string container, Wanted wanted, std::uint64_t most_bytes, Deadline deadline);

    Engine& engine_;
    BlockingPool& pool_;
};

}  // namespace berth::spawn::docker
