// Is the image here, and if not, fetch it. Presence is remembered for a few seconds, so that a start costs no
// question. Hub strand only.
#pragma once

#include "spawn/spawners/docker/engine.hpp"

#include <chrono>
#include <map>
#include <string>

namespace berth::spawn::docker {

// "repo:tag" -> {"repo", "tag"}; "repo" -> tag "latest" (without a tag the engine would fetch all of them);
// "repo@sha256:…" -> tag "sha256:…".
struct ImageReference {
    std::string name;
    std::string tag;
};
ImageReference parse_image(std::string_view image);

// The engine's progress lines as one sentence: "Fetching notebook:latest: 120 MiB of 310 MiB".
class PullProgress {
public:
    explicit PullProgress(std::string image) : image_(std::move(image)) {}
    void take(const json::object& line);
    const std::string& error() const { return error_; }
    int percent() const;  // 5..45
    std::string sentence() const;

private:
    struct Layer {
        std::uint64_t current = 0;
        std::uint64_t total = 0;
    };
    std::string image_;
    std::map<std::string, Layer> layers_;
    std::string error_;
};

class Images {
public:
    Images(Engine& engine, bool pull) : engine_(engine), pull_(pull) {}

    // Errors: image_not_found, image_pull_failed, backend_unreachable, start_timeout.
    awaitable<Result<void>> ensure(std::string image, Progress progress, Deadline deadline);
    void forget(const std::string& image) { seen_.erase(image); }

private:
    awaitable<Result<bool>> is_here(std::string image, Deadline deadline);
    awaitable<Result<void>> fetch(std::string image, Progress progress, Deadline deadline);

    Engine& engine_;
    bool pull_;
    std::map<std::string, std::chrono::steady_clock::time_point> seen_;
};

}  // namespace berth::spawn::docker
