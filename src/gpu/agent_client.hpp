// The hub's side of the GPU agent: starts the child process, reads its lines without ever blocking, and kills
// and restarts it with back-off when it dies or falls silent. Leases are untouched by all of that. Hub strand
// only.
#pragma once

#include "async/awaitable.hpp"
#include "base/result.hpp"
#include "gpu/agent_report.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace berth::gpu {

struct AgentClientOptions {
    // Empty: this program itself, as `gpu-agent --library … --interval-ms …`.
    std::vector<std::string> command;
    std::string library = "libnvidia-ml.so.1";
    std::chrono::milliseconds interval{5000};
    std::chrono::milliseconds silence_limit{5000};  // beyond the interval
    std::chrono::milliseconds first_limit{
        30000};  // for the first report: a driver without persistence wakes slowly
    std::chrono::milliseconds first_backoff{500};
    std::chrono::milliseconds longest_backoff{30000};
};

class AgentClient {
public:
    // The hub's glue: inventory.apply(report) or agent_silent(), leases.sync(), commit of the changed rows.
    using OnReport = std::function<void(const AgentReport& report)>;
    using OnSilent = std::function<void(const std::string& why)>;  // died or hung; called once per time

    AgentClient(AgentClientOptions options, OnReport on_report, OnSilent on_silent);
    ~AgentClient();
    AgentClient(const AgentClient&) = delete;

    // Runs for ever in the owner's TaskScope; ends only by cancellation, and then the child is killed.
    awaitable<> run();

    int restarts() const { return restarts_; }

private:
    struct Child;
    Result<std::unique_ptr<Child>> start(const asio::any_io_executor& executor);
    awaitable<Result<std::string>> read_line(Child& child);
    awaitable<std::string> read_until_silent(Child& child);  // why it is over
    void reap();

    AgentClientOptions options_;
    OnReport on_report_;
    OnSilent on_silent_;
    std::vector<int> unreaped_;  // killed, but stuck in the driver: waited for whenever there is time
    int restarts_ = -1;
    bool heard_ = false;
};

}  // namespace berth::gpu
