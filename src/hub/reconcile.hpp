// Makes rows and backend agree again: at the hub's start, every 30 s, and after a gap in the backend's
// events. One list call joined with the rows (gpu.md E.9): running and known is adopted, known but gone goes
// to the reaper, a start of which nothing runs is taken up again, what is ours without a row goes to Strays,
// what is foreign is counted, and another instance's is never touched. Starts open only after the first one.
#pragma once

#include "hub/addresses.hpp"
#include "hub/context.hpp"
#include "hub/external_users.hpp"
#include "hub/reaper.hpp"
#include "hub/start_server.hpp"
#include "hub/strays.hpp"

#include <set>
#include <unordered_map>

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
    // The inventory has just taken a report.
    void on_gpu_readings() { external_.take_readings(); }

private:
    using Generations = std::unordered_map<std::int64_t, std::int64_t>;  // by server
    using Objects = std::unordered_map<std::int64_t, const spawn::Found*>;

    Generations active_servers() const;
    std::vector<spawn::Found> strays_among(
        const std::vector<spawn::Found>& found, const Generations& before) const;
    void settle(const std::shared_ptr<Server>& server, const spawn::Found* found);
    void adopt(const std::shared_ptr<Server>& server, const spawn::Found& found);
    awaitable<> verify_adopted(std::shared_ptr<Server> server);
    void take_up(std::vector<std::shared_ptr<Server>> starts);
    void on_moved(ServerId id, std::int64_t generation, const std::string& url);
    void on_gone(ServerId id, std::int64_t generation, spawn::Status status);
    awaitable<Result<void>> release_orphans(const std::vector<spawn::Found>& found);
    bool counts_foreign() const;

    Context& context_;
    StartServer& start_;
    Reaper& reaper_;
    Strays strays_;
    Addresses addresses_;
    ExternalUsers external_;
    Notifier gap_;
    bool gap_seen_ = false;  // also one that came while a pass was under way
    bool first_ = true;
    std::vector<std::shared_ptr<Server>> untouched_;  // starts of which nothing runs, of this pass
    std::set<LeaseId> orphans_;                       // leases without an active server, at the last pass
};

}  // namespace berth::hub
