#include "spawn/spawners/local/ending.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, not C's
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace berth::spawn::local {
namespace {

using namespace std::chrono_literals;

// While the leader ends, its descendants are looked at so often: one that is born and orphaned in between, in
// a session of its own and without the mark, would be missed.
constexpr std::chrono::milliseconds kBetweenLooks = 500ms;
constexpr std::chrono::milliseconds kFirstPause = 5ms;
constexpr std::chrono::milliseconds kLongestPause = 250ms;

struct Survey {
    std::vector<Seen> members;
    bool leader_runs = false;
};

struct Server {
    ProcessId leader;
    std::string marker;
    std::set<ProcessId> known;  // the leader, and every member that was ever seen
};

Result<Survey> take_survey(const Server& server) {
    BERTH_TRY(auto all, all_processes(server.marker));
    // A scan passes over what may not be looked at; of those known before that must not be taken for gone.
    for (const auto& process : server.known) {
        const auto is_it = [&](const Seen& seen) { return seen.id == process; };
        if (std::any_of(all.begin(), all.end(), is_it)) continue;
        BERTH_TRY(const auto seen, look_at(process.pid));
        if (seen && seen->id == process) all.push_back(*seen);
    }
    Survey survey;
    survey.members = members_of(all, server.known);
    survey.leader_runs = std::any_of(survey.members.begin(), survey.members.end(), [&](const Seen& seen) {
        return seen.id == server.leader;
    });
    return survey;
}

// The group at once, so that none of it forks away; then each by itself.
Result<void> kill_all(const std::vector<Seen>& members, pid_t group) {
    if (is_our_group(members, group)) ::kill(-group, SIGKILL);
    for (const auto& member : members) {
        BERTH_TRY(const bool still_it, runs(member.id));
        if (still_it) ::kill(member.id.pid, SIGKILL);
    }
    return {};
}

awaitable<Result<Survey>> survey(BlockingPool& pool, Server& server) {
    auto work = [server] { return take_survey(server); };
    BERTH_CO_TRY(auto seen, co_await run_on(pool, std::move(work)));
    for (const auto& member : seen.members)
        server.known.insert(member.id);
    co_return seen;
}

awaitable<Result<void>> wait_readable(asio::posix::stream_descriptor& descriptor) {
    auto done = co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, as_tuple);
    (void)done;
    co_return Result<void>{};
}

// Until it ends or the limit passes; it may return before either.
awaitable<> wait_for_end(ProcessId process, Deadline limit) {
    const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
    if (fd < 0) {
        co_await sleep_for(std::min(kLongestPause, limit.left()));
        co_return;
    }
    asio::posix::stream_descriptor descriptor(co_await asio::this_coro::executor, fd);
    auto readable = wait_readable(descriptor);
    Error late{SpawnErrc::start_timeout, "It runs on."};
    (void)co_await with_deadline<void>(limit, std::move(late), std::move(readable));
}

Error still_there(const Survey& seen, const std::string& marker) {
    return Error{
        SpawnErrc::start_timeout,
        "The notebook's processes did not end in time; the hub goes on trying.",
        std::to_string(seen.members.size()) + " processes of " + marker + " are left"};
}

}  // namespace

std::vector<Seen> members_of(const std::vector<Seen>& all, const std::set<ProcessId>& known) {
    std::vector<Seen> members;
    std::set<pid_t> pids;          // of members: their children are members
    std::set<pid_t> may_be_begun;  // pids of members past and present: a session of that number may be ours,
    std::set<pid_t> sessions;      // and is while a member is in it, since sessions are entered by birth only
    for (const auto& process : known)
        may_be_begun.insert(process.pid);
    const auto add = [&](const Seen& seen) {
        members.push_back(seen);
        pids.insert(seen.id.pid);
        may_be_begun.insert(seen.id.pid);
        sessions.insert(seen.session);
    };
    const auto belongs = [&](const Seen& seen) {
        const bool shares_session = sessions.contains(seen.session) && may_be_begun.contains(seen.session);
        return seen.marked || known.contains(seen.id) || pids.contains(seen.parent) || shares_session;
    };
    std::vector<Seen> others;
    std::copy_if(
        all.begin(), all.end(), std::back_inserter(others), [](const Seen& seen) { return !seen.ended; });
    for (std::size_t before = others.size() + 1; others.size() < before;) {
        before = others.size();
        std::erase_if(others, [&](const Seen& seen) {
            const bool is_member = belongs(seen);
            if (is_member) add(seen);
            return is_member;
        });
    }
    return members;
}

bool is_our_group(const std::vector<Seen>& members, pid_t group) {
    return group > 1 &&
           std::any_of(members.begin(), members.end(), [&](const Seen& seen) { return seen.group == group; });
}

awaitable<Result<void>> end_process(
    BlockingPool& pool,
    ProcessId leader,
    std::string marker,
    std::chrono::milliseconds grace,
    Deadline deadline) {
    Server server{leader, std::move(marker), {}};
    if (leader.pid > 0) server.known.insert(leader);
    BERTH_CO_TRY(auto seen, co_await survey(pool, server));
    if (seen.leader_runs) {
        // A child that is not yet the program may not have a group of its own.
        if (::kill(-leader.pid, SIGTERM) != 0) ::kill(leader.pid, SIGTERM);
        const auto limit = deadline.earliest(Deadline::in(grace));
        while (seen.leader_runs && !limit.passed()) {
            co_await wait_for_end(leader, limit.earliest(Deadline::in(kBetweenLooks)));
            BERTH_CO_TRY(seen, co_await survey(pool, server));
        }
    }
    for (auto pause = kFirstPause; !seen.members.empty(); pause = std::min(pause * 2, kLongestPause)) {
        auto kill = [members = seen.members, leader] { return kill_all(members, leader.pid); };
        BERTH_CO_CHECK(co_await run_on(pool, std::move(kill)));
        if (deadline.passed()) co_return still_there(seen, server.marker);
        co_await sleep_for(pause);
        BERTH_CO_TRY(seen, co_await survey(pool, server));
    }
    co_return Result<void>{};
}

}  // namespace berth::spawn::local
