#include "base/text.hpp"
#include "spawn/log_lines.hpp"
#include "spawn/spawners/docker/adapter.hpp"
#include "spawn/spawners/docker/devices.hpp"
#include "spawn/stop_grace.hpp"

#include <algorithm>

namespace berth::spawn::docker {
namespace {

using namespace std::chrono_literals;

constexpr ApiVersion kFirstApiWithCdi{
    1, 50};  // since 28.2 engines may hand GPUs out by CDI whatever the request says

std::string filter_of(const std::vector<std::string>& labels) {
    json::array list;
    for (const auto& label : labels)
        list.emplace_back(label);
    return url_escape_query(json::serialize(json::object{{"label", std::move(list)}}));
}

std::string pair_of(std::string_view name, std::string_view value) {
    return std::string(name) + "=" + std::string(value);
}

std::vector<std::string> labels_of_server(const StartPlan& plan) {
    return {
        pair_of(label::kInstance, plan.instance),
        pair_of(label::kServer, std::to_string(number_of(plan.server)))};
}

}  // namespace

awaitable<Result<std::optional<Inspected>>> DockerSpawner::inspect(std::string id, Deadline deadline) {
    using Answered = std::optional<Inspected>;
    BERTH_CO_TRY(const auto answer, co_await engine_.get("/containers/" + quote(id) + "/json", deadline));
    if (answer.status == 404) co_return Answered{};
    if (!answer.ok()) {
        co_return refused(
            SpawnErrc::backend_failed, "The container engine could not say how the container is.", answer);
    }
    co_return inspected(answer.body, options_.network);
}

awaitable<Result<std::vector<Found>>> DockerSpawner::list_labelled(
    std::vector<std::string> labels, Deadline deadline) {
    const std::string path = "/containers/json?all=1&filters=" + filter_of(labels);
    BERTH_CO_TRY(const auto answer, co_await engine_.get(path, deadline));
    const auto* entries = answer.body.if_array();
    if (!answer.ok() || !entries) {
        co_return refused(
            SpawnErrc::backend_failed, "The container engine could not list the containers.", answer);
    }
    std::vector<Found> all;
    for (const auto& entry : *entries) {
        const auto* object = entry.if_object();
        auto found = object ? found_from_list(*object, options_.network, options_.port) : std::nullopt;
        if (found) all.push_back(std::move(*found));
    }
    co_return all;
}

// Ten thousand containers are 15 MB of JSON: read on a thread of the pool, since pages are answered
// meanwhile.
awaitable<Result<Listing>> DockerSpawner::list(std::string instance, ListOf what, Deadline deadline) {
    std::string path = "/containers/json?all=1";
    if (what == ListOf::ours) path += "&filters=" + filter_of({pair_of(label::kInstance, instance)});
    BERTH_CO_TRY(auto answer, co_await engine_.get_unread(std::move(path), deadline));
    const auto text = std::make_shared<const std::string>(std::move(answer.raw));
    auto read = [text, instance, network = options_.network, port = options_.port] {
        return machine_in(*text, instance, network, port);
    };
    const auto here = read;
    auto done = co_await pool_.run(std::move(read));
    auto machine = done ? std::move(*done) : here();  // the pool is full of others' work
    if (!answer.ok() || !machine) {
        co_return refused(
            SpawnErrc::backend_failed, "The container engine could not list the containers.", answer);
    }
    Listing listing;
    listing.found = std::move(machine->found);
    // Without removal, what is stopped stays on purpose and is no server any more.
    if (!options_.remove)
        std::erase_if(listing.found, [](const Found& each) { return each.liveness == Liveness::gone; });
    if (what == ListOf::machine) listing.foreign = co_await look_at(std::move(machine->others), deadline);
    co_return listing;
}

awaitable<Result<Secret>> DockerSpawner::token_of(StartPlan plan, SpawnState state, Deadline deadline) {
    constexpr std::string_view kVariable = "JUPYTERHUB_API_TOKEN=";
    BERTH_CO_TRY(const auto container, co_await find(plan, std::move(state), deadline));
    if (container) {
        for (const auto& entry : container->environment) {
            if (entry.starts_with(kVariable)) co_return Secret(entry.substr(kVariable.size()));
        }
    }
    co_return Error{SpawnErrc::exited_early, "The container is gone, or it never had a token."};
}

// The plan's own container, whatever became of its state.
awaitable<Result<std::optional<Inspected>>> DockerSpawner::find(
    StartPlan plan, SpawnState state, Deadline deadline) {
    using Answered = std::optional<Inspected>;
    const auto* object = state.if_object();
    if (const auto id = object ? string_at(*object, "object_id") : std::nullopt) {
        co_return co_await inspect(*id, deadline);
    }
    BERTH_CO_TRY(const auto all, co_await list_labelled(labels_of_server(plan), deadline));
    for (const auto& each : all) {
        if (each.generation == plan.generation) {
            co_return co_await inspect(each.object_name, deadline);
        }
    }
    co_return Answered{};
}

awaitable<Result<void>> DockerSpawner::verify(StartPlan plan, SpawnState state, Deadline deadline) {
    BERTH_CO_TRY(const auto container, co_await find(plan, std::move(state), deadline));
    if (!container) co_return Error{SpawnErrc::exited_early, "The container was removed while it started."};
    if (!container->running) co_return co_await why_it_ended(*container, deadline);
    Evidence evidence;
    if (engine_.is_on_this_machine()) look_inside(*container, evidence);
    evidence.cdi_possible = engine_.newest_of_engine() >= kFirstApiWithCdi;
    evidence.simulated = options_.simulated_gpus;
    co_return compare_devices(plan, *container, evidence);
}

awaitable<Result<Status>> DockerSpawner::poll(StartPlan plan, SpawnState state, Deadline deadline) {
    BERTH_CO_TRY(const auto container, co_await find(plan, std::move(state), deadline));
    Status status;
    if (!container) co_return status;
    if (container->running) {
        status.liveness = Liveness::running;
        co_return status;
    }
    status.exit_code = container->exit_code;
    status.out_of_memory = container->out_of_memory;
    status.finished = container->finished;
    status.last_log_lines = co_await last_log_lines(container->id, deadline);
    co_return status;
}

awaitable<Result<void>> DockerSpawner::stop(StartPlan plan, SpawnState state, Deadline deadline) {
    (void)state;  // the labels find also what a crash left without one
    for (;;) {
        BERTH_CO_TRY(const auto all, co_await list_labelled(labels_of_server(plan), deadline));
        bool any_left = false;
        for (const auto& each : all) {
            if (each.generation > plan.generation) continue;
            const auto id =
                string_at(each.endpoint.state.as_object(), "object_id").value_or(each.object_name);
            if (each.liveness == Liveness::gone) {
                BERTH_CO_TRY(const bool kept, co_await is_kept(id, deadline));
                if (kept) continue;
            }
            any_left = true;
            BERTH_CO_CHECK(co_await end(id, deadline));
        }
        if (!any_left) co_return Result<void>{};
        if (deadline.passed()) {
            co_return Error{
                SpawnErrc::start_timeout, "The container did not go in time; the hub goes on trying."};
        }
    }
}

// Is it to stay, since docker.remove is off? Only what has run and ended: one that never ran may be starting
// just now, by a call whose answer nobody waited for.
awaitable<Result<bool>> DockerSpawner::is_kept(std::string id, Deadline deadline) {
    if (options_.remove) co_return false;
    BERTH_CO_TRY(const auto container, co_await inspect(std::move(id), deadline));
    co_return container && !container->running && container->exit_code;
}

// Stops it with grace and removes it, unless it is to be kept.
awaitable<Result<void>> DockerSpawner::end(std::string id, Deadline deadline) {
    const auto grace = stop_grace(spawn_.stop_timeout, deadline.left());
    const std::string path = "/containers/" + quote(id) + "/stop?t=" + std::to_string(grace.count());
    BERTH_CO_TRY(const auto answer, co_await engine_.post(path, nullptr, deadline));
    if (answer.status == 404) co_return Result<void>{};
    BERTH_CO_TRY(const bool kept, co_await is_kept(id, deadline));
    if (kept) co_return Result<void>{};
    co_return co_await remove(std::move(id), deadline);
}

awaitable<Result<void>> DockerSpawner::remove(std::string id, Deadline deadline) {
    const std::string path = "/containers/" + quote(id);
    BERTH_CO_TRY(const auto answer, co_await engine_.del(path + "?force=true&v=false", deadline));
    const bool in_progress = answer.status == 409;
    if (!answer.ok() && answer.status != 404 && !in_progress) {
        co_return refused(
            SpawnErrc::backend_failed, "The container could not be removed; the hub goes on trying.", answer);
    }
    // Success of the call is not yet absence.
    for (auto pause = 5ms;; pause = std::min(pause * 2, 500ms)) {
        BERTH_CO_TRY(const auto left, co_await engine_.get(path + "/json", deadline));
        if (left.status == 404) co_return Result<void>{};
        if (deadline.passed()) break;
        co_await sleep_for(pause);
    }
    co_return Error{
        SpawnErrc::start_timeout, "The container did not go in time; the hub goes on trying.", id};
}

awaitable<Result<std::string>> DockerSpawner::log(
    StartPlan plan, SpawnState state, std::size_t lines, Deadline deadline) {
    BERTH_CO_TRY(const auto container, co_await find(std::move(plan), std::move(state), deadline));
    if (!container) co_return std::string();
    const std::string path =
        "/containers/" + quote(container->id) + "/logs?stdout=1&stderr=1&tail=" + std::to_string(lines);
    BERTH_CO_TRY(const auto answer, co_await engine_.get(path, deadline));
    if (!answer.ok())
        co_return refused(SpawnErrc::backend_failed, "The engine does not give out the log.", answer);
    co_return last_lines(log_text(answer.raw), lines, answer.raw.size() + 1);
}

awaitable<std::string> DockerSpawner::last_log_lines(std::string id, Deadline deadline) {
    const std::string path = "/containers/" + quote(id) + "/logs?stdout=1&stderr=1&tail=20";
    const auto answer = co_await engine_.get(path, deadline.earliest(Deadline::in(5s)));
    if (!answer || !answer->ok()) co_return std::string();
    co_return last_lines(log_text(answer->raw));
}

}  // namespace berth::spawn::docker
