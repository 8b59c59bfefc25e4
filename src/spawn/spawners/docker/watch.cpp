#include "base/text.hpp"
#include "obs/log.hpp"
#include "spawn/spawners/docker/adapter.hpp"

#include <set>

namespace berth::spawn::docker {
namespace {

using namespace std::chrono_literals;

constexpr auto kSilence =
    10min;  // events may be rare; a connection that died without a word is noticed after this
constexpr auto kQuestion = 10s;
constexpr std::chrono::milliseconds kFirstPause = 100ms;
constexpr std::chrono::milliseconds kLongestPause = 5s;

std::string events_path(const std::string& instance) {
    const json::object filters{
        {"type", json::array{"container"}},
        {"event", json::array{"die", "oom", "destroy"}},
        {"label", json::array{std::string(label::kInstance) + "=" + instance}},
    };
    return "/events?filters=" + url_escape_query(json::serialize(filters));
}

}  // namespace

// How the dead container ended; it may be gone already, then the event is all there is.
awaitable<Status> DockerSpawner::status_of_dead(Event event) {
    Status status;
    status.exit_code = event.exit_code;
    const auto container = co_await inspect(event.id, Deadline::in(kQuestion));
    if (!container || !*container) co_return status;
    status.out_of_memory = (*container)->out_of_memory;
    status.last_log_lines = co_await last_log_lines(event.id, Deadline::in(kQuestion));
    co_return status;
}

// Until the stream of events breaks off.
awaitable<Result<void>> DockerSpawner::follow(
    std::string instance, const OnGone& on_gone, const std::function<void()>& on_gap) {
    BERTH_CO_TRY(
        auto stream,
        co_await engine_.open(http::Method::get, events_path(instance), Deadline::in(kQuestion)));
    if (stream->status() != 200) {
        co_return Error{
            SpawnErrc::backend_failed,
            "The container engine does not tell its events.",
            "GET /events answered " + std::to_string(stream->status())};
    }
    if (on_gap) on_gap();  // whatever happened before now was not seen
    Lines lines;
    std::set<std::string> dead;  // ended and not yet removed: "destroy" is no news then
    std::set<std::string> starved;
    for (;;) {
        BERTH_CO_TRY(const auto piece, co_await stream->read(Deadline::in(kSilence)));
        if (piece.empty()) co_return Result<void>{};
        lines.add(piece);
        while (auto line = lines.next()) {
            const auto document = parse_json(*line);
            const auto event = document ? event_of(*document) : std::nullopt;
            if (!event || event->identity.instance != instance) continue;
            if (event->action == "oom") starved.insert(event->id);
            if (event->action == "destroy") starved.erase(event->id);
            const bool is_news =
                event->action == "die" || (event->action == "destroy" && !dead.contains(event->id));
            if (event->action == "die") dead.insert(event->id);
            if (event->action == "destroy") dead.erase(event->id);
            if (!is_news) continue;
            auto status = co_await status_of_dead(*event);
            status.out_of_memory =
                status.out_of_memory || (starved.contains(event->id) && event->exit_code == 137);
            on_gone(event->identity.server, event->identity.generation, std::move(status));
        }
    }
}

awaitable<> DockerSpawner::watch(std::string instance, OnGone on_gone, std::function<void()> on_gap) {
    auto pause = kFirstPause;
    for (;;) {
        const auto begun = std::chrono::steady_clock::now();
        const auto followed = co_await follow(instance, on_gone, on_gap);
        if (!followed) {
            log::warn("docker.events_lost", {{"reason", followed.error().detail}});
        }
        if (std::chrono::steady_clock::now() - begun > kLongestPause) pause = kFirstPause;
        co_await sleep_for(pause);
        pause = std::min(pause * 2, kLongestPause);
    }
}

}  // namespace berth::spawn::docker
