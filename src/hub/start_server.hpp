// The start of a server (design.md §5): resolve the profile → reserve devices, wait for them or refuse →
// commit the intent → its turn in the line → backend → verify → wait until it answers → commit ready → route.
// Everything after the commit goes on by itself and ends in ready or in the reaper (start_attempt.cpp). Hub
// strand only.
#pragma once

#include "access/permit.hpp"
#include "async/notifier.hpp"
#include "hub/context.hpp"
#include "hub/errors.hpp"
#include "hub/gpu_queue.hpp"
#include "hub/profiles.hpp"
#include "hub/reaper.hpp"
#include "hub/start_line.hpp"
#include "identity/server_credentials.hpp"
#include "spawn/environment.hpp"

#include <optional>
#include <string>

namespace berth::hub {

struct StartRequest {
    std::optional<json::value> user_options;  // none: those stored last (hub-protocol §9.2)
    std::optional<std::string> display_name;  // of a named server
};

class StartServer {
public:
    StartServer(Context& context, Reaper& reaper, GpuQueue& gpus)
        : context_(context),
          reaper_(reaper),
          gpus_(gpus),
          line_(context.scope.executor(), context.options.spawn.concurrent_starts),
          decided_(context.scope.executor()) {}

    // Returns once the intent (row, lease, credentials) is durable; the start goes on. A start already in
    // flight is a success. Until the first open() or close() it waits, at most 10 s: the hub has just started
    // and does not know yet which servers run. Errors: HubErrc and gpu::DeviceErrc, each naming the rule;
    // StoreErrc::unavailable.
    awaitable<Result<void>> begin(access::Permit permit, ServerKey key, StartRequest request);
    // Waits while the server is to start, at most until `deadline`. True: it is ready; false: not yet.
    // Error: why the start failed.
    awaitable<Result<bool>> wait(ServerKey key, Deadline deadline);

    // Goes on with a start that a hub before us committed and whose object runs (reconcile).
    void resume(const std::shared_ptr<Server>& server, spawn::StartPlan plan, spawn::Endpoint endpoint);
    // Takes up one of which nothing runs: it waited for its turn, or the hub died before its object ran. It
    // keeps its lease and gets a new generation, so that what a late answer of the backend makes is not it.
    awaitable<> again(TakingUp taken);

    // Where a start stands that waits for its turn: 1 is the next one.
    std::optional<std::size_t> position_of(const Server& server) const {
        return line_.position_of(server.row.id);
    }
    const StartLine& line() const { return line_; }
    // Who waits for devices; a start enters the line only with them.
    const GpuQueue& gpu_queue() const { return gpus_; }
    // What nobody without a place in the queue may be given for so long (GpuQueue::promised).
    std::vector<DeviceUuid> promised_gpus(seconds for_so_long) { return gpus_.promised(for_so_long); }
    // What the person asks for with these options, for a question about it. Errors as begin().
    Result<GpuQueue::Ask> gpu_request(const ServerKey& key, const json::value& user_options) const;

    // What the hub would grant now, for the form: the profiles in force.
    std::vector<config::Profile> profiles() const;
    void open() { decide({}); }                                      // after the first reconcile
    void close(std::string because) { decide(std::move(because)); }  // a sentence for the person

private:
    struct Intent;
    void decide(std::string closed_because) {
        undecided_ = false;
        closed_because_ = std::move(closed_because);
        if (closed_because_.empty())
            line_.open();
        else
            line_.close();
        decided_.notify_all();
    }
    Result<void> admit(const ServerKey& key, const Server* server) const;
    awaitable<Result<void>> settle_unnoticed_end(std::shared_ptr<Server> server);
    Result<Intent> prepare(const ServerKey& key, const Server* existing, const StartRequest& request);
    Result<void> assign_devices(Intent& intent, const Server* existing, const ResolvedStart& resolved);
    GpuQueue::Ask ask_for(const store::ServerRow& row, const ResolvedStart& resolved) const;
    Result<gpu::Leases::Granted> book(const store::ServerRow& row, GpuQueue::Place& gpus);
    Error refusal(const store::ServerRow& row, const ResolvedStart& resolved, Error otherwise);
    Result<store::ServerRow> next_row(
        const ServerKey& key, const Server* existing, const StartRequest& request);
    spawn::Environment environment_for(
        const ServerKey& key,
        const config::Profile& profile,
        const identity::ServerCredentials& credentials) const;
    awaitable<Result<void>> commit(access::Permit permit, ServerKey key, Intent intent);
    awaitable<> attempt(
        std::shared_ptr<Server> server,
        spawn::StartPlan plan,
        std::optional<spawn::Endpoint> found,
        StartLine::Place place,
        GpuQueue::Place gpus);
    awaitable<Result<void>> take_devices_and_turn(
        std::shared_ptr<Server> server,
        spawn::StartPlan& plan,
        GpuQueue::Place& gpus,
        StartLine::Place& place);
    awaitable<Result<void>> take_devices(
        std::shared_ptr<Server> server, spawn::StartPlan& plan, GpuQueue::Place& gpus);
    awaitable<Result<void>> commit_devices(
        std::shared_ptr<Server> server, spawn::StartPlan& plan, gpu::Leases::Granted& granted);
    awaitable<Result<void>> take_turn(std::shared_ptr<Server> server, StartLine::Place& place);
    awaitable<Result<void>> bring_up_in_time(
        std::shared_ptr<Server> server, spawn::StartPlan plan, std::optional<spawn::Endpoint> found);
    awaitable<Result<void>> bring_up(
        std::shared_ptr<Server> server, spawn::StartPlan plan, std::optional<spawn::Endpoint> found);
    awaitable<Result<void>> mark_bound(
        std::shared_ptr<Server> server, spawn::StartPlan plan, spawn::Endpoint endpoint);
    awaitable<Result<void>> mark_ready(std::shared_ptr<Server> server);

    Context& context_;
    Reaper& reaper_;
    GpuQueue& gpus_;
    StartLine line_;
    std::size_t committing_ = 0;  // starts whose commit is on its way: they count for the limit
    bool undecided_ = true;       // neither open() nor close() was called yet
    Notifier decided_;
    std::string closed_because_ =
        "The hub has just started and is looking for running servers. Try again in a moment.";
};

}  // namespace berth::hub
