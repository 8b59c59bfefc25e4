// A start as it happens, as server-sent events (hub-protocol §9.5).
#include "api/error_response.hpp"
#include "api/event_stream.hpp"
#include "api/handlers.hpp"
#include "base/text.hpp"

namespace berth::api {
namespace {

constexpr std::chrono::seconds kPositions{1};  // how often one who waits is told where they stand

json::object ready_event(const std::string& url) {
    const std::string escaped = html_escape(url);
    return {
        {"progress", 100},
        {"ready", true},
        {"message", "Server ready at " + url},
        {"html_message", "Server ready at <a href=\"" + escaped + "\">" + escaped + "</a>"},
        {"url", url}};
}

// Why the newest start did not come to ready; a restart of the hub keeps only the message.
json::object failed_event(const hub::Server& server) {
    const bool cancelled = server.failure && server.failure->is(hub::HubErrc::start_cancelled);
    const std::string reason = server.failure ? server.failure->message : server.row.failure;
    const std::string message = cancelled || reason.empty() ? "Spawn cancelled" : "Spawn failed: " + reason;
    return {{"progress", 100}, {"failed", true}, {"message", message}};
}

// Also while what the failed start left behind is still being removed.
bool has_failed(const hub::Server& server) {
    return server.failure || server.row.lifecycle == hub::Lifecycle::failed;
}

// The last event, once there is one.
std::optional<std::string> final_event(const hub::Server& server, const std::string& base_path) {
    if (server.ready()) return event_of(ready_event(server.prefix(base_path)));
    if (server.to_start() && !server.failure) return std::nullopt;
    return event_of(failed_event(server));
}

// Events of steps that were not sent yet. The first one is always "Server requested".
std::string new_steps(const hub::Server& server, std::size_t& sent) {
    if (server.steps.size() < sent) sent = 0;  // another start has begun
    std::string events;
    for (; sent < server.steps.size(); ++sent) {
        const auto& step = server.steps[sent];
        if (step.percent >= 100) continue;  // the final event says it
        events += event_of({{"progress", step.percent}, {"message", step.message}});
    }
    return events;
}

// "at 14:05" would need the reader's time zone, so the event has the moment and the sentence has the span.
std::string in_about(Timestamp at, Timestamp now) {
    const auto minutes = std::chrono::ceil<std::chrono::minutes>(at - now).count();
    if (minutes <= 1) return "in about a minute";
    if (minutes < 120) return "in about " + std::to_string(minutes) + " minutes";
    return "in about " + std::to_string((minutes + 30) / 60) + " hours";
}

// Where a start stands that waits for devices.
json::object gpu_position(const hub::GpuQueue::Standing& standing) {
    const auto& estimate = standing.estimate;
    std::string message = "Waiting for ";
    message.append(standing.gpus == 1 ? "a GPU" : std::to_string(standing.gpus) + " GPUs");
    message.append(": position ").append(std::to_string(estimate.position));
    message.append(" of ").append(std::to_string(standing.waiting));
    if (estimate.likely_start)
        message.append(", probably ").append(in_about(*estimate.likely_start, now_utc()));
    if (estimate.latest_start && estimate.latest_start != estimate.likely_start)
        message.append(", at the latest ").append(in_about(*estimate.latest_start, now_utc()));
    if (!estimate.quota.empty()) message.append(" (").append(estimate.quota).append(")");
    json::object event{{"progress", 0}, {"message", message}, {"waits_for", "gpu"}};
    event["position"] = estimate.position;
    event["waiting"] = standing.waiting;
    event["latest_start"] = or_null(estimate.latest_start);
    event["likely_start"] = or_null(estimate.likely_start);
    return event;
}

// Where a start stands that waits for devices or for its turn, when that is news.
std::string new_position(const hub::StartServer& start, const hub::Server& server, std::string& told) {
    if (const auto standing = start.gpu_queue().standing_of(server.row.id)) {
        const auto event = gpu_position(*standing);
        std::string message(event.at("message").as_string());
        if (message == told) return {};
        told = std::move(message);
        return event_of(event);
    }
    const auto position = start.position_of(server);
    if (!position || std::to_string(*position) == told) return {};
    told = std::to_string(*position);
    const auto& line = start.line();
    const std::string message = "Waiting for its turn: position " + told + " of " +
                                std::to_string(line.waiting()) + " (" + std::to_string(line.at_a_time()) +
                                " start at a time)";
    return event_of(
        {{"progress", 0}, {"message", message}, {"position", *position}, {"waiting", line.waiting()}});
}

awaitable<> write_progress(
    const hub::Servers& servers,
    const hub::StartServer& start,
    ServerKey key,
    std::string base_path,
    http::BodyWriter& out) {
    std::string piece = "\n\n";
    std::string position;  // told last
    auto next_word = std::chrono::steady_clock::now() + kKeepAlive;
    // What has come to its end already is told by its last event alone.
    const auto begun = servers.find(key);
    std::size_t sent = begun && final_event(*begun, base_path) ? begun->steps.size() : 0;
    for (;;) {
        const auto server = servers.find(key);
        if (!server) {
            const json::object deleted{
                {"progress", 100}, {"failed", true}, {"message", "The server was deleted"}};
            co_await out.write(event_of(deleted));
            co_return;
        }
        piece += new_steps(*server, sent);
        piece += new_position(start, *server, position);
        auto last = final_event(*server, base_path);
        if (last) piece += *last;
        if (!piece.empty()) {
            co_await out.write(std::exchange(piece, {}));
            next_word = std::chrono::steady_clock::now() + kKeepAlive;
        }
        if (last) co_return;
        // Something may have changed while the piece was written: then there is nothing to wait for.
        if (server->steps.size() > sent || final_event(*server, base_path)) continue;
        const bool waits = server->queued || start.position_of(*server).has_value();
        (void)co_await server->changed.wait_until(Deadline::in(waits ? kPositions : kKeepAlive));
        if (std::chrono::steady_clock::now() >= next_word) piece = "\n\n";
    }
}

}  // namespace

awaitable<Result<http::Response>> get_progress(Dependencies& hub, Call& call) {
    if (hub.directory.find(call.user()) == nullptr) co_return not_found();
    const ServerKey key = call.server();
    const auto server = hub.servers.find(key);
    if (!server && !key.server.empty()) co_return not_found();
    if (!server) co_return bad_request(key.full_name() + " is not starting...");
    if (!server->ready() && !server->to_start() && !has_failed(*server)) {
        co_return bad_request(key.full_name() + " is not starting...");
    }
    auto response = event_stream();
    const hub::Servers& servers = hub.servers;
    const hub::StartServer& start = hub.start;
    std::string base_path = hub.options.base_path();
    response.stream = [&servers, &start, key, base_path](http::BodyWriter& out) {
        return write_progress(servers, start, key, base_path, out);
    };
    co_return response;
}

}  // namespace berth::api
