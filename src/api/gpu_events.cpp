// Word of what changed among the GPUs, as server-sent events: {"changed": ["devices", "leases", "queue"]}, at
// most twice a second. What is so now is then asked for where it stands, so names never travel here. The
// stream ends when who listens has signed out, when their token ends, and after an hour; browsers come back.
#include "api/error_response.hpp"
#include "api/event_stream.hpp"
#include "api/handlers.hpp"

namespace berth::api {
namespace {

constexpr std::chrono::seconds kCheck{2};  // how soon a sign-out ends it
constexpr std::chrono::hours kLongest{1};

using hub::GpuFeed;

std::string news_of(const GpuFeed::Revisions& before, const GpuFeed::Revisions& now) {
    json::array changed;
    if (before.devices != now.devices) changed.emplace_back("devices");
    if (before.leases != now.leases) changed.emplace_back("leases");
    if (before.queue != now.queue) changed.emplace_back("queue");
    return event_of({{"changed", std::move(changed)}});
}

// Who asks, as long as they may.
struct Asker {
    http::Request request;  // its head
    std::string name;

    bool may_still(const Dependencies& hub) const {
        if (request.local_peer) return true;  // the kernel's word is good as long as the connection
        const auto visit = hub.gate.identify(request, gate::Surface::server_url, now_utc());
        if (visit.principal.audit_name() != name) return false;
        return access::AccessCheck(hub.directory).check_listing(visit.principal, {"gpu:read"}).has_value();
    }
};

awaitable<> write_events(
    const Dependencies& hub,
    std::shared_ptr<GpuFeed::Listener> listener,
    Asker asker,
    http::BodyWriter& out) {
    const auto ends = std::chrono::steady_clock::now() + kLongest;
    auto& feed = hub.board.feed;
    auto told = feed.revisions();
    std::string piece = "retry: 3000\n" + news_of({}, {1, 1, 1});
    auto next_word = std::chrono::steady_clock::now() + kKeepAlive;
    while (!feed.closed() && std::chrono::steady_clock::now() < ends) {
        if (!piece.empty()) {
            co_await out.write(std::exchange(piece, {}));
            next_word = std::chrono::steady_clock::now() + kKeepAlive;
        }
        if (feed.revisions() == told) co_await feed.wait(Deadline::in(kCheck));
        if (!asker.may_still(hub)) co_return;
        const auto now = feed.revisions();
        if (now != told) piece = news_of(std::exchange(told, now), now);
        if (piece.empty() && std::chrono::steady_clock::now() >= next_word) piece = ":\n\n";
    }
    (void)listener;
}

}  // namespace

awaitable<Result<http::Response>> get_gpu_events(Dependencies& hub, Call& call) {
    auto joined = hub.board.feed.join(call.who().audit_name());
    if (!joined)
        co_return Error{
            ApiErrc::too_many,
            "Too many pages listen for changes of the GPUs. Close some, or ask for the board now and then."};
    auto listener = std::make_shared<GpuFeed::Listener>(std::move(*joined));
    Asker asker{call.request, call.who().audit_name()};
    asker.request.body.clear();
    auto response = event_stream();
    response.stream = [&hub, listener, asker](http::BodyWriter& out) {
        return write_events(hub, listener, asker, out);
    };
    co_return response;
}

}  // namespace berth::api
