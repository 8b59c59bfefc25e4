// How a server's processes end: asked first, killed after the grace, and not one is left behind. Whatever
// came from its leader counts: children by their parents, also those that went into sessions of their own (as
// kernels and terminals do) and those that began with another environment; and all that carry the server's
// mark, for when the leader died long ago. The waits are on the caller's strand; only the short looks into
// /proc are in the pool.
#pragma once

#include "async/blocking_pool.hpp"
#include "spawn/spawners/local/process.hpp"

#include <chrono>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace berth::spawn::local {

// Work that has a Result of its own, without the pool's around it.
template <class Work, class T = std::invoke_result_t<Work>>
awaitable<T> run_on(BlockingPool& pool, Work work) {
    auto done = co_await pool.run(std::move(work));
    if (!done) co_return T(boost::system::in_place_error, done.error());
    co_return std::move(*done);
}

// Those of `all` that belong to a server and have not ended: known ones, marked ones, their descendants, and
// who shares a session that one of them began and one of them is still in. Pure.
std::vector<Seen> members_of(const std::vector<Seen>& all, const std::set<ProcessId>& known);

// May the process group of that number be signalled? Only while a member is in it: the number of a leader
// that is gone may have been given to somebody else's group. Pure.
bool is_our_group(const std::vector<Seen>& members, pid_t group);

// Asks the leader's process group to end (SIGTERM), after `grace` kills all members; returns when none is
// left. Safe to repeat. Errors: start_timeout (some are left at the deadline), backend_failed (we could not
// look: some may be left). `pool` must outlive the call.
awaitable<Result<void>> end_process(
    BlockingPool& pool,
    ProcessId leader,
    std::string marker,
    std::chrono::milliseconds grace,
    Deadline deadline);

}  // namespace berth::spawn::local
