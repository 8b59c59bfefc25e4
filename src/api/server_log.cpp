// What a server wrote last.
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"

namespace berth::api {

awaitable<Result<http::Response>> get_server_log(Dependencies& hub, Call& call) {
    constexpr std::int64_t kMostLines = 10'000;
    const auto server = hub.servers.find(call.server());
    if (!server) co_return not_found(call.user().value + " has no such server");
    std::int64_t lines = 100;
    if (const auto tail = call.request.query_value("tail")) {
        const auto number = integer_of(*tail);
        if (!number || *number < 1 || *number > kMostLines)
            co_return bad_request("'tail' must be a number from 1 to " + std::to_string(kMostLines));
        lines = *number;
    }
    std::string text;
    if (const auto* stored = server->row.spawn_plan.if_object()) {
        auto log = co_await hub.spawner.log(
            spawn::StartPlan::from_stored(*stored),
            server->row.spawn_state,
            static_cast<std::size_t>(lines),
            Deadline::in(std::chrono::seconds(15)));
        if (!log) co_return log.error();
        text = std::move(*log);
    }
    json::object answer{{"log", std::move(text)}, {"state", store::name_of(server->row.lifecycle)}};
    answer["failure"] = server->row.failure;
    co_return http::Response::json(200, answer);
}

}  // namespace berth::api
