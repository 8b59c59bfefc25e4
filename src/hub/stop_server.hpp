// The stop of a server: the start's path backwards, by the reaper. Hub strand only.
#pragma once

#include "access/permit.hpp"
#include "hub/context.hpp"
#include "hub/errors.hpp"
#include "hub/reaper.hpp"

namespace berth::hub {

class StopServer {
public:
    StopServer(Context& context, Reaper& reaper) : context_(context), reaper_(reaper) {}

    // Asks a running server, or a start in flight, to end. Stopped or stopping already: a success.
    // Errors: no_such_server.
    awaitable<Result<void>> begin(access::Permit permit, ServerKey key);
    // True once it is stopped, false when the deadline came first (the stop goes on).
    awaitable<bool> wait(ServerKey key, Deadline deadline);

private:
    Context& context_;
    Reaper& reaper_;
};

}  // namespace berth::hub
