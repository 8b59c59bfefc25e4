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

// Of all containers: an event of a network carries no label to choose by.
std::string events_path() {
    const json::object filters{
        {"type", json::array{"container", "network"}},
        {"event", json::array{"die", "oom", "destroy", "connect", "disconnect"}},
    };
    return "/events?filters=" + url_escape_query(json::serialize(filters));
}

}  // namespace

// Containers by id, over one stream of events.
struct DockerSpawner::Seen {
    std::set<std::string> dead;  // ended and not yet removed: "destroy" is no news then
    std::set<std::string> starved;
    std::set<std::string> cut_off;  // run, and have no address
};

// How the dead container ended; it may be gone already, then the event is all there is.
awaitable<Status> DockerSpawner::status_of_dead(Event event) {
    Status status;
    status.exit_code = event.exit_code;
    const auto container = co_await inspect(event.id, Deadline::in(kQuestion));
    if (!container || !*container) co_return status;
    status.out_of_memory = (*container)->out_of_memory;
    status.finished = (*container)->finished;
    status.last_log_lines = co_await last_log_lines(event.id, Deadline::in(kQuestion));
    co_return status;
}

awaitable<> DockerSpawner::take(Event event, Seen& seen, const Watcher& watcher) {
    if (event.action == "oom") seen.starved.insert(event.id);
    const bool is_news =
        event.action == "die" || (event.action == "destroy" && !seen.dead.contains(event.id));
    const bool starved = seen.starved.contains(event.id) && event.exit_code == 137;
    if (event.action == "die") seen.dead.insert(event.id);
    if (event.action == "destroy") {
        seen.dead.erase(event.id);
        seen.starved.erase(event.id);
        seen.cut_off.erase(event.id);
    }
    if (!is_news) co_return;
    auto status = co_await status_of_dead(event);
    status.out_of_memory = status.out_of_memory || starved;
    watcher.gone(event.identity.server, event.identity.generation, std::move(status));
}

// A container that ends leaves its network too, and every start enters one: neither is news. What is taken
// off while it runs is, and its way back.
awaitable<> DockerSpawner::take(
    NetworkEvent event, std::string instance, Seen& seen, const Watcher& watcher) {
    const auto& id = event.container;
    if (event.network != options_.network || seen.dead.contains(id)) co_return;
    if (event.on_it && !seen.cut_off.contains(id)) co_return;
    const auto container = co_await inspect(id, Deadline::in(kQuestion));
    if (!container || !*container || !(*container)->running) co_return;
    const auto identity = identity_of((*container)->labels);
    if (!identity || identity->instance != instance) co_return;
    const auto& address = (*container)->address;
    if (address.empty())
        seen.cut_off.insert(id);
    else
        seen.cut_off.erase(id);
    watcher.moved(
        identity->server, identity->generation, address.empty() ? "" : url_of(address, options_.port));
}

// Until the stream of events breaks off.
awaitable<Result<void>> DockerSpawner::follow(std::string instance, const Watcher& watcher) {
    BERTH_CO_TRY(
        auto stream, co_await engine_.open(http::Method::get, events_path(), Deadline::in(kQuestion)));
    if (stream->status() != 200) {
        co_return Error{
            SpawnErrc::backend_failed,
            "The container engine does not tell its events.",
            "GET /events answered " + std::to_string(stream->status())};
    }
    watcher.gap();  // whatever happened before now was not seen
    Lines lines;
    Seen seen;
    for (;;) {
        BERTH_CO_TRY(const auto piece, co_await stream->read(Deadline::in(kSilence)));
        if (piece.empty()) co_return Result<void>{};
        lines.add(piece);
        while (auto line = lines.next()) {
            const auto document = parse_json(*line);
            if (!document) continue;
            if (auto change = network_event_of(*document)) {
                co_await take(std::move(*change), instance, seen, watcher);
            } else if (auto event = event_of(*document); event && event->identity.instance == instance) {
                co_await take(std::move(*event), seen, watcher);
            }
        }
    }
}

awaitable<> DockerSpawner::watch(std::string instance, Watcher watcher) {
    auto pause = kFirstPause;
    for (;;) {
        const auto begun = std::chrono::steady_clock::now();
        const auto followed = co_await follow(instance, watcher);
        if (!followed) {
            log::warn("docker.events_lost", {{"reason", followed.error().detail}});
        }
        if (std::chrono::steady_clock::now() - begun > kLongestPause) pause = kFirstPause;
        co_await sleep_for(pause);
        pause = std::min(pause * 2, kLongestPause);
    }
}

}  // namespace berth::spawn::docker
