// Changes of users that concern their servers too: renaming and removing (hub-protocol §9.7). Hub strand
// only.
#pragma once

#include "access/permit.hpp"
#include "hub/context.hpp"
#include "hub/errors.hpp"
#include "hub/stop_server.hpp"

namespace berth::hub {

class UserRecords {
public:
    UserRecords(Context& context, StopServer& stop) : context_(context), stop_(stop) {}

    // `to` is normalised and checked by the caller. Errors: no_such_user, not_stopped (a server of theirs
    // runs), DirectoryErrc::user_exists.
    awaitable<Result<void>> rename(access::Permit permit, UserName user, UserName to);
    // Stops the user's servers first. Errors: no_such_user, stop_pending (one is still stopping; ask again).
    awaitable<Result<void>> remove(access::Permit permit, UserName user, Deadline deadline);

private:
    Context& context_;
    StopServer& stop_;
};

}  // namespace berth::hub
