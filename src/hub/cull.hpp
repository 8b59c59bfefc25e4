// Ends servers that nobody works with, or that are older than they may be (culling.hpp decides), and warns
// their people before. What counts as work comes together in a server's last activity: its own reports, the
// proxy's traffic (activity.hpp), kernels (kernels.hpp) and GPUs (gpu_work.hpp); so other cullers see it too.
//
// A restart of the hub ends nobody: warnings are given anew, and for cull.grace nobody is stopped. A stop
// goes the way of every stop, as system:culler, after a last look under the user's claim, so that whoever was
// told that it goes on is right. Hub strand only.
#pragma once

#include "access/permit.hpp"
#include "hub/activity.hpp"
#include "hub/culling.hpp"
#include "hub/gpu_queue.hpp"
#include "hub/gpu_work.hpp"
#include "hub/stop_server.hpp"

#include <optional>
#include <unordered_map>

namespace berth::hub {

class Culler {
public:
    Culler(Context& context, Activity& activity, StopServer& stop, GpuQueue& queue)
        : context_(context), activity_(activity), stop_(stop), queue_(queue), gpus_(context) {}

    // Looks at every server each cull.interval, for ever.
    awaitable<> run();
    // One look. Returns when those that were due have been asked to stop.
    awaitable<> look();
    // The inventory has taken a report of the agent.
    void on_gpu_readings();

    // Holds the end that the server's people were warned of off by cull.extension. Errors: no_such_server,
    // no_end_near, no_more_extensions, StoreErrc.
    awaitable<Result<Timestamp>> keep_running(access::Permit permit, ServerKey key);

    CullPolicy policy_of(const Server& server) const;

private:
    using Steady = LifeClock::Steady;
    // What is known of one run of a server.
    struct Watch {
        std::int64_t generation = 0;
        LifeClock clock;  // by its last activity
        LifeClock work;   // by what its kernels, terminals and GPUs did, as far as we saw it
        std::optional<Steady> kept_until;
        std::optional<Steady> warned_since;
        Secret token;  // lets us ask its kernels
        Steady token_ends{};
    };
    Watch& watch(const Server& server, Steady now);
    CullState state_of(const Server& server, Steady now);
    bool reclaims() const;
    void mark_idle(const Server& server);
    bool is_near_end(const Server& server, Steady now);
    void forget_the_ended();
    awaitable<> judge(ServerKey key);
    awaitable<> look_inside(std::shared_ptr<Server> server);
    awaitable<Result<Secret>> token_for(std::shared_ptr<Server> server);
    void note_work(Server& server, Timestamp at);
    void warn(Server& server, const CullDecision& decision, const CullPolicy& policy);
    void go_on(Server& server);
    awaitable<> stop(std::shared_ptr<Server> server, EndReason why, CullPolicy policy);

    Context& context_;
    Activity& activity_;
    StopServer& stop_;
    GpuQueue& queue_;
    GpuWork gpus_;
    const Steady began_ = std::chrono::steady_clock::now();
    std::optional<Steady> last_look_;
    std::unordered_map<std::int64_t, Watch> watches_;  // by server
};

}  // namespace berth::hub
