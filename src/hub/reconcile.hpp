// Makes rows and backend agree again: at the hub's start, every 30 s, and after a gap in the backend's
// events. One list call joined with the rows (gpu.md E.9): running and known is adopted, known but gone goes
// to the reaper, unknown but ours is removed, another instance's is never touched. Starts open only after the
// first one.
#pragma once

#include "hub/context.hpp"
#include "hub/reaper.hpp"
#include "hub/start_server.hpp"

namespace berth::hub {

class Reconcile {
public:
    Reconcile(Context& context, StartServer& start, Reaper& reaper);

    // Error: backend_unreachable; then nothing was changed, and leases stay.
    awaitable<Result<void>> once();
    // Reconciles for ever; opens starts after the first success.
    awaitable<> run();
    // Follows the backend's events for ever.
    awaitable<> watch();

private:
    void adopt(const std::shared_ptr<Server>& server, const spawn::Found& found);
    awaitable<> verify_adopted(std::shared_ptr<Server> server);
    void on_gone(ServerId id, std::int64_t generation, spawn::Status status);
    awaitable<Result<void>> release_orphans(const std::vector<spawn::Found>& found);
    bool settle(const std::shared_ptr<Server>& server, const spawn::Found* found);

    Context& context_;
    StartServer& start_;
    Reaper& reaper_;
    Notifier gap_;
    bool first_ = true;
    std::vector<LeaseId>
        orphans_;  // leases that were live at the hub's start without a server that is active
};

}  // namespace berth::hub
