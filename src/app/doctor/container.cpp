#include "app/doctor/container.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "spawn/log_lines.hpp"
#include "spawn/spawners/docker/containers.hpp"

namespace berth::app {
namespace {

using spawn::docker::Answer;

Error said(const Answer& answer) {
    return Error{spawn::SpawnErrc::backend_failed, "the engine says: " + ellipsized(answer.said(), 300)};
}

awaitable<Result<ContainerResult>> run_made(
    spawn::docker::Engine& engine, std::string id, Deadline deadline) {
    BERTH_CO_TRY(const auto started, co_await engine.post("/containers/" + id + "/start", nullptr, deadline));
    if (!started.ok()) co_return said(started);
    BERTH_CO_TRY(const auto ended, co_await engine.post("/containers/" + id + "/wait", nullptr, deadline));
    if (!ended.ok() || !ended.body.is_object()) co_return said(ended);
    BERTH_CO_TRY(
        const auto log,
        co_await engine.get("/containers/" + id + "/logs?stdout=1&stderr=1&tail=20", deadline));
    ContainerResult result;
    result.exit_code = static_cast<int>(int_at(ended.body.get_object(), "StatusCode").value_or(-1));
    result.output = spawn::last_lines(spawn::docker::log_text(log.raw));
    co_return result;
}

}  // namespace

awaitable<Result<ContainerResult>> run_in_container(
    spawn::docker::Engine& engine, json::object request, std::string line, Deadline deadline) {
    request["Entrypoint"] = json::array{"/bin/sh", "-c"};
    request["Cmd"] = json::array{line};
    const std::string name = "berth-doctor-" + random_hex(6);
    BERTH_CO_TRY(
        const auto made,
        co_await engine.post("/containers/create?name=" + name, std::move(request), deadline));
    if (!made.ok()) co_return said(made);
    auto result = co_await run_made(engine, name, deadline);
    const auto removed = co_await engine.del(
        "/containers/" + name + "?force=true&v=true", Deadline::in(std::chrono::seconds(20)));
    if (!removed) co_return removed.error();
    co_return result;
}

}  // namespace berth::app
