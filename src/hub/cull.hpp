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
        : context_(context),
          activity_(activity),
          stop_(stop),
          queue_(queue),
          gpus_(context),
          reclaim_idle_(context.options.gpu.queue.reclaim_idle) {}

    // Looks at every server each cull.interval, for ever.
    awaitable<> run();
    // One look. Returns when those that were due have been asked to stop.
    awaitable<> look();
    // The inventory has taken a report of the agent.
    void on_gpu_readings();

    // Holds the end that the server's people were warned of off by cull.extension; the end of a lease, by
    // renewing it. Errors: no_such_server, no_end_near, no_more_extensions, StoreErrc.
    awaitable<Result<Timestamp>> keep_running(access::Permit permit, ServerKey key);

    // A lease of a server goes on until `until`, or for gpu.lease.length from now, as far as
    // gpu.lease.longest lets it. Errors: no_end_near (it has no such end), no_more_extensions with the rule
    // that is in the way, StoreErrc.
    awaitable<Result<Timestamp>> extend_lease(
        access::Permit permit, ServerKey key, std::optional<Timestamp> until);
    // The clock was set: ends of leases move with it.
    awaitable<Result<void>> follow_clock(std::chrono::microseconds moved);

    CullPolicy policy_of(const Server& server) const;
    // When its GPUs are no longer its; nothing when they have no such end.
    std::optional<Timestamp> lease_end_of(const Server& server) const;
    // Whose GPU was never used for so long is told once that they may not need one.
    void hint_after(seconds span) { hint_after_ = span; }
    // An end that nothing its people do holds off: its GPUs are taken for others or out of service. They are
    // told from the moment that it is known.
    struct Certain {
        EndReason why{};
        LifeClock::Steady at{};
    };
    std::optional<Certain> certain_end(const Server& server) const;

private:
    using Steady = LifeClock::Steady;
    // What is known of one run of a server.
    struct Watch {
        std::int64_t generation = 0;
        LifeClock clock;  // by its last activity
        LifeClock work;   // by what its kernels, terminals and GPUs did, as far as we saw it
        std::optional<Steady> kept_until;
        std::optional<Steady> warned_since;
        std::optional<Steady> lease_end;
        std::optional<Steady> lease_warned_since;
        std::optional<EndReason> told_why;  // by notices
        std::size_t told = 0;               // of those that are due as the end comes near
        bool gpu_used = false;
        bool hinted = false;
        Secret token;  // lets us ask its kernels
        Steady token_ends{};
    };
    Watch& watch(const Server& server, Steady now);
    CullState state_of(const Server& server, Steady now);
    bool has_work() const;
    bool reclaims() const;
    void hint(Server& server, Steady now);
    Ending lease_ending(const Server& server, const CullDecision& decision) const;
    awaitable<Result<Timestamp>> extend_held(
        access::Permit permit, std::shared_ptr<Server> server, std::optional<Timestamp> until);
    Result<Timestamp> end_wanted(const store::LeaseRow& lease, std::optional<Timestamp> until) const;
    void follow_the_queue();
    void mark_idle(const Server& server);
    bool is_near_end(const Server& server, Steady now);
    void forget_the_ended();
    awaitable<> judge(ServerKey key);
    awaitable<> judge_certain(std::shared_ptr<Server> server, Certain end);
    bool takes_gpus() const;
    void announce(Server& server, Ending ending, seconds left);
    awaitable<> look_inside(std::shared_ptr<Server> server);
    awaitable<Result<Secret>> token_for(std::shared_ptr<Server> server);
    void note_work(Server& server, Timestamp at);
    void warn(Server& server, const CullDecision& decision, const CullPolicy& policy);
    void notify(const Server& server, EndReason why, seconds left);
    void go_on(Server& server);
    awaitable<> stop(std::shared_ptr<Server> server, EndReason why, StopWish wish);

    Context& context_;
    Activity& activity_;
    StopServer& stop_;
    GpuQueue& queue_;
    GpuWork gpus_;
    const Steady began_ = std::chrono::steady_clock::now();
    std::optional<Steady> last_look_;
    seconds hint_after_ = std::chrono::minutes(30);
    seconds reclaim_idle_;    // what gpu.queue.reclaim_idle comes to now
    bool announced_ = false;  // an end, since or at the last look: it may have to be taken back
    std::unordered_map<std::int64_t, Watch> watches_;  // by server
};

}  // namespace berth::hub
