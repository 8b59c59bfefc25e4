#include "spawn/spawners/docker/image_reader.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "obs/log.hpp"
#include "spawn/spawners/docker/create_request.hpp"

#include <fstream>

namespace berth::spawn::docker {
namespace {

using namespace std::chrono_literals;

constexpr auto kSilence = 30s;
constexpr auto kRemoval = 20s;
constexpr std::string_view kLabel = "berth.files-of";
constexpr auto kLeftAfter = 600s;  // longer than any save() takes

std::vector<std::string> folders_in_path(const json::array* environment) {
    std::vector<std::string> folders;
    if (environment == nullptr) return folders;
    for (const auto& each : *environment) {
        const auto* text = each.if_string();
        if (text == nullptr || !std::string_view(*text).starts_with("PATH=")) continue;
        for (const auto folder : split(std::string_view(*text).substr(5), ':')) {
            if (folder.starts_with('/')) folders.emplace_back(folder);
        }
    }
    return folders;
}

Error cannot_write(const std::string& path) {
    return Error{SpawnErrc::backend_failed, path + " cannot be written; there may be no space left."};
}

}  // namespace

awaitable<Result<ImageFacts>> ImageReader::facts(std::string image, Deadline deadline) {
    BERTH_CO_TRY(const auto answer, co_await engine_.get("/images/" + quote(image) + "/json", deadline));
    const auto* object = answer.body.if_object();
    const auto id = object ? string_at(*object, "Id") : std::nullopt;
    if (!answer.ok() || !id) {
        co_return refused(
            SpawnErrc::image_not_found, "The image '" + image + "' is not on this machine.", answer);
    }
    ImageFacts facts;
    facts.id = *id;
    if (const auto* config = object_at(*object, "Config"))
        facts.program_folders = folders_in_path(array_at(*config, "Env"));
    co_return facts;
}

// Several hubs may read one image of an engine at once, so each has a container of its own.
awaitable<Result<std::string>> ImageReader::make_container(std::string id, Deadline deadline) {
    co_await remove_left_ones(deadline);
    const std::string name = "berth-files-" + random_hex(8);
    json::value body =
        json::object{{"Image", id}, {"Cmd", json::array{"true"}}, {"Labels", json::object{{kLabel, id}}}};
    BERTH_CO_TRY(
        const auto made, co_await engine_.post("/containers/create?name=" + name, std::move(body), deadline));
    if (!made.ok())
        co_return refused(SpawnErrc::backend_failed, "The files of an image could not be read.", made);
    co_return name;
}

// What a hub that was killed left: by its label and its age.
awaitable<> ImageReader::remove_left_ones(Deadline deadline) {
    std::string filter = "{\"label\":[\"";
    filter.append(kLabel).append("\"]}");
    const auto answer =
        co_await engine_.get("/containers/json?all=1&filters=" + url_escape_query(filter), deadline);
    const auto* list = answer && answer->ok() ? answer->body.if_array() : nullptr;
    if (list == nullptr) co_return;
    for (const auto& each : *list) {
        const auto* entry = each.if_object();
        const auto id = entry ? string_at(*entry, "Id") : std::nullopt;
        const auto created = entry ? int_at(*entry, "Created") : std::nullopt;
        if (id && created && Timestamp(std::chrono::seconds(*created)) + kLeftAfter < now_utc())
            co_await remove(*id);
    }
}

awaitable<> ImageReader::remove(std::string container) {
    const auto gone =
        co_await engine_.del("/containers/" + container + "?force=true&v=true", Deadline::in(kRemoval));
    if (gone && (gone->ok() || gone->status == 404)) co_return;
    log::warn(
        "docker.container_left", {{"name", container}, {"act", "the next look at the image removes it"}});
}

awaitable<Result<std::vector<ImageFiles::Wanted>>> ImageReader::save(
    std::string id, std::vector<Wanted> wanted, std::uint64_t most_bytes, Deadline deadline) {
    BERTH_CO_TRY(auto container, co_await make_container(std::move(id), deadline));
    auto saved = co_await copy_out(container, std::move(wanted), most_bytes, deadline);
    co_await remove(std::move(container));
    co_return saved;
}

awaitable<Result<std::vector<ImageFiles::Wanted>>> ImageReader::copy_out(
    std::string container, std::vector<Wanted> wanted, std::uint64_t most_bytes, Deadline deadline) {
    std::vector<Wanted> saved;
    for (auto& each : wanted) {
        BERTH_CO_TRY(const bool is_there, co_await copy_folder(container, each, most_bytes, deadline));
        if (is_there) saved.push_back(std::move(each));
    }
    co_return saved;
}

// False: the image has no such folder.
awaitable<Result<bool>> ImageReader::copy_folder(
    std::string container, Wanted wanted, std::uint64_t most_bytes, Deadline deadline) {
    const std::string path = "/containers/" + container + "/archive?path=" + url_escape_query(wanted.folder);
    BERTH_CO_TRY(const auto stream, co_await engine_.open(http::Method::get, path, deadline));
    if (stream->status() == 404) co_return false;
    if (stream->status() != 200)
        co_return Error{
            SpawnErrc::backend_failed,
            "The container engine does not give out " + wanted.folder + ".",
            "status " + std::to_string(stream->status())};
    const auto file = std::make_shared<std::ofstream>(wanted.into, std::ios::binary | std::ios::trunc);
    std::uint64_t bytes = 0;
    for (;;) {
        BERTH_CO_TRY(auto piece, co_await stream->read(deadline.earliest(Deadline::in(kSilence))));
        if (piece.empty()) break;
        bytes += piece.size();
        if (bytes > most_bytes) {
            log::warn("edge.folder_left_out", {{"folder", wanted.folder}, {"why", "it is too large"}});
            co_return false;
        }
        auto write = [file, text = std::move(piece)] {
            return file->write(text.data(), std::ssize(text)).good();
        };
        BERTH_CO_TRY(const bool written, co_await pool_.run(std::move(write)));
        if (!written) co_return cannot_write(wanted.into);
    }
    if (!file->flush()) co_return cannot_write(wanted.into);
    co_return true;
}

}  // namespace berth::spawn::docker
