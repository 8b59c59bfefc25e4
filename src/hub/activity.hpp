// When somebody last worked: reports from servers (hub-protocol §5) and the proxy's routes. Times only move
// forward, but out of a future that a clock set back has left behind. Kept in memory, written in batches. Hub
// strand only.
#pragma once

#include "access/permit.hpp"
#include "hub/context.hpp"

#include <map>

namespace berth::hub {

struct ActivityReport {
    std::optional<Timestamp> user;
    std::map<ServerName, Timestamp> servers;
};

class Activity {
public:
    explicit Activity(Context& context) : context_(context) {}

    // Error: no_such_server (nothing is recorded then).
    Result<void> record(const access::Permit& permit, const UserName& user, const ActivityReport& report);
    // The hub itself saw that the server works (kernels, GPUs); the user need not be there.
    void observe(Server& server, Timestamp at) { touch(server, at); }
    // Pulls the proxy's times and writes what changed; every 60 s by run().
    awaitable<> flush();
    awaitable<> run();

private:
    void touch(Server& server, Timestamp at);
    Context& context_;
    std::map<ServerId, Timestamp> unwritten_;
};

}  // namespace berth::hub
