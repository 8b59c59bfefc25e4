#include "spawn/spawners/docker/images.hpp"

#include "base/text.hpp"
#include "spawn/spawners/docker/containers.hpp"

#include <algorithm>

namespace berth::spawn::docker {
namespace {

using namespace std::chrono_literals;

constexpr auto kRemembered = 10s;
constexpr auto kSilence = 120s;  // a fetch that says nothing for so long has died

Error not_here(const std::string& image, const std::string& why, std::string detail = {}) {
    return Error{
        SpawnErrc::image_not_found,
        "The image '" + image + "' is not on this machine and could not be fetched: " + why +
            ". Choose another image, or ask the administrator to fetch it.",
        std::move(detail)};
}

std::string without_full_stop(std::string text) {
    while (!text.empty() && (text.back() == '.' || text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    return text;
}

}  // namespace

ImageReference parse_image(std::string_view image) {
    if (const auto at = image.find('@'); at != std::string_view::npos) {
        return {std::string(image.substr(0, at)), std::string(image.substr(at + 1))};
    }
    const auto colon = image.rfind(':');
    const bool is_port = colon != std::string_view::npos && image.find('/', colon) != std::string_view::npos;
    if (colon == std::string_view::npos || is_port) return {std::string(image), "latest"};
    return {std::string(image.substr(0, colon)), std::string(image.substr(colon + 1))};
}

void PullProgress::take(const json::object& line) {
    if (const auto error = string_at(line, "error")) error_ = *error;
    const auto id = string_at(line, "id");
    if (!id) return;
    const auto status = string_at(line, "status").value_or("");
    if (status == "Downloading") {
        const auto* detail = object_at(line, "progressDetail");
        if (!detail) return;
        auto& layer = layers_[*id];
        layer.current =
            static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_at(*detail, "current").value_or(0)));
        layer.total =
            static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_at(*detail, "total").value_or(0)));
    } else if (status == "Download complete" || status == "Pull complete") {
        if (const auto it = layers_.find(*id); it != layers_.end()) it->second.current = it->second.total;
    }
}

int PullProgress::percent() const {
    std::uint64_t current = 0;
    std::uint64_t total = 0;
    for (const auto& [id, layer] : layers_) {
        current += layer.current;
        total += layer.total;
    }
    if (total == 0) return 5;
    return 5 +
           static_cast<int>(40.0 * std::min(1.0, static_cast<double>(current) / static_cast<double>(total)));
}

std::string PullProgress::sentence() const {
    Bytes current;
    Bytes total;
    for (const auto& [id, layer] : layers_) {
        current.count += layer.current;
        total.count += layer.total;
    }
    std::string text = "Fetching the image " + image_;
    if (total.count > 0) text += ": " + format_bytes(current) + " of " + format_bytes(total);
    return text;
}

awaitable<Result<bool>> Images::is_here(std::string image, Deadline deadline) {
    // The name is part of the path as it stands: the engine's route takes slashes and colons.
    BERTH_CO_TRY(const auto answer, co_await engine_.get("/images/" + quote(image) + "/json", deadline));
    if (answer.ok()) co_return true;
    if (answer.status == 404) co_return false;
    co_return refused(
        SpawnErrc::bad_request, "The image name '" + image + "' is not valid: " + answer.said(), answer);
}

awaitable<Result<void>> Images::ensure(std::string image, Progress progress, Deadline deadline) {
    const auto now = std::chrono::steady_clock::now();
    const auto seen = seen_.find(image);
    if (seen != seen_.end() && now - seen->second < kRemembered) co_return Result<void>{};
    if (image.empty()) {
        co_return Error{
            SpawnErrc::image_not_found, "No image is set. Ask the administrator to set docker.image."};
    }
    BERTH_CO_TRY(const bool here, co_await is_here(image, deadline));
    if (!here && !pull_) co_return not_here(image, "fetching is switched off (docker.pull)");
    if (!here) {
        BERTH_CO_CHECK(co_await fetch(image, std::move(progress), deadline));
    }
    seen_[image] = std::chrono::steady_clock::now();
    co_return Result<void>{};
}

awaitable<Result<void>> Images::fetch(std::string image, Progress progress, Deadline deadline) {
    if (progress) progress(5, "The image " + image + " is not on this machine yet; fetching it");
    const auto reference = parse_image(image);
    const std::string path = "/images/create?fromImage=" + url_escape_query(reference.name) +
                             "&tag=" + url_escape_query(reference.tag);
    BERTH_CO_TRY(auto stream, co_await engine_.open(http::Method::post, path, deadline));
    PullProgress pull(image);
    Lines lines;
    std::string first_bytes;
    int told = 5;
    for (;;) {
        auto piece = co_await stream->read(deadline.earliest(Deadline::in(kSilence)));
        if (!piece) {
            if (deadline.passed()) {
                co_return Error{
                    SpawnErrc::start_timeout,
                    "Fetching the image '" + image +
                        "' took too long. Try again: what has been fetched is kept."};
            }
            co_return not_here(image, "the connection to the engine broke off", piece.error().detail);
        }
        if (piece->empty()) break;
        if (first_bytes.size() < 4096) first_bytes += *piece;
        lines.add(*piece);
        while (auto line = lines.next()) {
            const auto document = parse_json(*line);
            if (document && document->is_object()) pull.take(document->as_object());
        }
        if (progress && pull.percent() >= told + 2) {
            told = pull.percent();
            progress(told, pull.sentence());
        }
    }
    if (stream->status() >= 300) {
        const auto document = parse_json(first_bytes);
        const auto* object = document ? document->if_object() : nullptr;
        const auto said = object ? string_at(*object, "message") : std::nullopt;
        co_return not_here(
            image,
            without_full_stop(said.value_or("the engine answered " + std::to_string(stream->status()))));
    }
    if (!pull.error().empty()) co_return not_here(image, without_full_stop(pull.error()));
    BERTH_CO_TRY(const bool here, co_await is_here(image, deadline));
    if (!here) co_return not_here(image, "the engine did not keep it");
    co_return Result<void>{};
}

}  // namespace berth::spawn::docker
