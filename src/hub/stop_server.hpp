// The stop of a server: the start's path backwards, by the reaper. Hub strand only.
#pragma once

#include "access/permit.hpp"
#include "hub/context.hpp"
#include "hub/errors.hpp"
#include "hub/reaper.hpp"

#include <functional>
#include <string>

namespace berth::hub {

// A stop that nobody asked for.
struct StopWish {
    std::string end_reason = "stopped";  // for the audit and the lease: "idle"
    std::string sentence;                // for the person, afterwards
    // Asked once more when nobody else can change the server any more; empty: yes.
    std::function<bool(const Server&)> still_wanted;
};

class StopServer {
public:
    StopServer(Context& context, Reaper& reaper) : context_(context), reaper_(reaper) {}

    // Asks a running server, or a start in flight, to end. Stopped or stopping already: a success.
    // Errors: no_such_server.
    awaitable<Result<void>> begin(access::Permit permit, ServerKey key, StopWish wish);
    // No default argument: g++ 12 destroys those of a call inside co_await twice.
    awaitable<Result<void>> begin(access::Permit permit, ServerKey key) {
        return begin(std::move(permit), std::move(key), StopWish{});
    }
    // True once it is stopped, false when the deadline came first (the stop goes on).
    awaitable<bool> wait(ServerKey key, Deadline deadline);

private:
    Context& context_;
    Reaper& reaper_;
};

}  // namespace berth::hub
