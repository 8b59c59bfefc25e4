// What the hub does beside requests: reaching the backend, reconciling, watching the GPUs, cleaning up.
#include "app/hub_rooms.hpp"
#include "hub/clock_watch.hpp"
#include "obs/log.hpp"

namespace berth::app {

using namespace std::chrono_literals;

namespace {

// After the hub's start and after the clock was set nothing ends by the clock for so long (gpu.md E.9).
constexpr auto kClockGrace = 5min;

}  // namespace

void HubProcess::Rooms::start_background() {
    work.spawn("check routes", OnStop::cancel, check_routes());  // of what runs: a proxy that lived has them
    work.spawn("backend", OnStop::cancel, open_backend());
    work.spawn("activity", OnStop::cancel, activity->run());
    work.spawn("gpu queue", OnStop::cancel, gpus->run());
    work.spawn("gpu history", OnStop::cancel, board->history.run());
    work.spawn("gpu feed", OnStop::cancel, board->feed.run());
    work.spawn("cull", OnStop::cancel, culler->run());
    work.spawn("housekeeping", OnStop::cancel, housekeeping());
    work.spawn("proxy", OnStop::cancel, proxy->supervise([this] {
        work.spawn("check routes", OnStop::cancel, check_routes());
    }));
    if (options.gpu.agent) {
        gpu::AgentClientOptions agent_options;
        agent_options.library = options.gpu.nvml_library;
        agent_options.interval = options.gpu.poll_interval;
        agent.emplace(
            agent_options,
            [this](const gpu::AgentReport& report) { on_agent_report(report); },
            [this](const std::string& why) {
                log::warn("gpu_agent.silent", {{"why", why}});
                inventory->agent_silent(now_utc());
            });
        work.spawn("gpu agent", OnStop::cancel, agent->run());
    }
}

void HubProcess::Rooms::on_agent_report(const gpu::AgentReport& report) {
    inventory->apply(report, now_utc());
    leases->sync(*inventory);
    culler->on_gpu_readings();
    reconcile->on_gpu_readings();
    board->history.on_gpu_readings(now_utc());
    work.spawn("write devices", OnStop::cancel, write_devices());
}

awaitable<> HubProcess::Rooms::write_devices() {
    auto written = co_await gpu::write_changes(*store, *inventory);
    if (!written) log::warn("devices.write_delayed", {{"detail", written.error().detail}});
}

// The backend may not be there yet; pages are served meanwhile, starts are refused with its message.
awaitable<> HubProcess::Rooms::open_backend() {
    for (;;) {
        auto usable = co_await spawner->check(Deadline::in(15s));
        if (usable) break;
        start->close(usable.error().message);
        log::warn("backend.unusable", {{"why", usable.error().message}, {"detail", usable.error().detail}});
        co_await sleep_for(2s);
    }
    for (auto pause = 1s;; pause = std::min<std::chrono::seconds>(pause * 2, 30s)) {
        auto listening = co_await listen_for_servers();
        if (listening) break;
        start->close(listening.error().message);
        log::error("hub.unreachable_for_servers", {{"why", listening.error().message}});
        co_await sleep_for(pause);
    }
    const std::string address =
        options.docker.hub_address.empty() ? spawner->hub_listen_address() : options.docker.hub_address;
    const auto port = behind_proxy->local().port;
    context->api_url = "http://" + address + ":" + std::to_string(port) + options.base_path() + "hub/api";
    log::info("backend.ready", {{"spawner", options.spawn.spawner}, {"api_url", context->api_url}});
    read_images();
    work.spawn("watch", OnStop::cancel, reconcile->watch());
    co_await reconcile->run();
}

// So that the first who starts from an image finds its files there.
void HubProcess::Rooms::read_images() {
    edge->prepare(options.docker.image);
    for (const auto& profile : options.profiles)
        edge->prepare(profile.image);
}

// The address on which servers reach the hub, and there only its API, when the hub's own does not cover it.
awaitable<Result<void>> HubProcess::Rooms::listen_for_servers() {
    const auto local = behind_proxy->local();
    net::Endpoint inside;
    inside.host = spawner->hub_listen_address();
    inside.port = local.port;
    const bool covered =
        inside.host == local.host || local.host.empty() || local.host == "0.0.0.0" || local.host == "*";
    if (covered) co_return Result<void>{};
    auto listener = net::Listener::open(executor, inside);
    if (!listener)
        co_return Error{
            net::NetErrc::address_unusable,
            "The hub cannot listen where servers reach it: " + listener.error().message};
    BERTH_CO_TRY(const auto limits, server_limits());
    for_servers.emplace(
        connections, std::move(*listener), "servers", limits, false, api->handler_for_servers());
    for_servers->start();
    co_return Result<void>{};
}

awaitable<> HubProcess::Rooms::check_routes() {
    auto checked = co_await routes->check(Deadline::in(10s));
    if (!checked) log::warn("route.delayed", {{"detail", checked.error().detail}});
}

// Façade leases and suspicions whose time is over every 10 s; expired tokens, codes and sessions every hour.
// A clock that was set ends none of them: leases move with it, and tokens stay for a day.
awaitable<> HubProcess::Rooms::housekeeping() {
    hub::ClockWatch clock(now_utc(), hub::since_boot());
    auto next_purge = std::chrono::steady_clock::now() + 1h;
    for (;;) {
        if (const auto moved = clock.jump(now_utc(), hub::since_boot())) {
            next_purge = std::chrono::steady_clock::now() + 24h;
            co_await follow_clock(*moved);
        }
        if (inventory->expire_suspicions(now_utc())) leases->sync(*inventory);
        co_await write_devices();
        co_await reservations->tidy();
        if (clock.steady_for(kClockGrace, hub::since_boot())) co_await end_facade_leases();
        if (std::chrono::steady_clock::now() >= next_purge) {
            auto purged = co_await directory->purge_expired(now_utc());
            if (!purged) log::warn("tokens.purge_delayed", {{"detail", purged.error().detail}});
            next_purge += 1h;
        }
        co_await sleep_for(10s);
    }
}

awaitable<> HubProcess::Rooms::follow_clock(std::chrono::microseconds moved) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(moved).count();
    log::warn("clock.set", {{"by_seconds", seconds}});
    auto followed = co_await facade->move_ends(*store, moved);
    if (!followed) log::warn("lease.move_delayed", {{"detail", followed.error().detail}});
    auto of_servers = co_await culler->follow_clock(moved);
    if (!of_servers) log::warn("lease.move_delayed", {{"detail", of_servers.error().detail}});
}

awaitable<> HubProcess::Rooms::end_facade_leases() {
    auto over = facade->expire(now_utc());
    if (over.empty()) co_return;
    auto ended = co_await facade->commit_ended(*store, std::move(over), std::nullopt);
    if (!ended) log::warn("lease.end_delayed", {{"detail", ended.error().detail}});
}

}  // namespace berth::app
