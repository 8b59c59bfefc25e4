// Whether a server goes on, is about to be ended, or is ended now, and by which limit. Pure: durations come
// in, a decision comes out, so neither a jump of the clock nor a restart of the hub is seen here.
//
// What holds: nobody is ended before the whole warning has passed; "keep running" holds an end off for as
// long as it says; without a reading of its GPUs a server is not idle. The end of a lease is moved by
// renewing the lease alone (hub/cull_leases.cpp), and people see it coming for an hour.
#pragma once

#include "base/units.hpp"
#include "config/options.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::hub {

using std::chrono::seconds;

// The limits of one server; 0: none.
struct CullPolicy {
    seconds idle{0};
    seconds max_age{0};
    seconds warning{0};  // given in full, whatever the limit is
    seconds extension{0};
    std::uint32_t max_extensions = 0;
    bool reclaims = false;  // `idle` is as short as it is because somebody waits for its GPUs

    bool limits() const { return idle.count() > 0 || max_age.count() > 0; }
};
// The narrowest rule that sets a limit wins: profile and group, then group, then profile, then the section
// itself. Of several groups' rules the most generous counts, limit by limit.
CullPolicy policy_for(
    const config::CullOptions& options, const std::string& profile, const std::vector<std::string>& groups);

// Some limit may hold for somebody.
bool sets_limits(const config::CullOptions& options);

enum class EndReason {
    idle,
    age,
    reclaim,    // its GPUs are unused, and somebody waits
    preempted,  // somebody with a better claim waits for its GPUs (hub/gpu_queue.hpp)
    drain,      // a GPU of it goes out of service (hub/drains.hpp)
    lease,      // the time of its GPUs is over
};
// "idle", "max_age", "reclaim", "preempted", "drain", "lease"
std::string_view name_of(EndReason reason);

struct CullState {
    seconds idle{0};                        // since the last sign of work
    seconds age{0};                         // since it started
    seconds kept{0};                        // its people have asked to keep it for so long from now
    seconds grace{0};                       // nobody is ended for so long from now
    std::optional<seconds> warned;          // for how long they have been told; none: they have not
    bool use_unknown = false;               // the readings of its GPUs are old
    std::optional<seconds> lease_left{};    // until its GPUs are no longer its; none: no such end
    std::optional<seconds> lease_warned{};  // for how long they have been told of that
};

struct CullDecision {
    enum class Act { keep, warn, stop };
    Act act = Act::keep;
    EndReason why = EndReason::idle;
    seconds left{0};  // until the end; with keep only when there is a limit
};
CullDecision decide(const CullPolicy& policy, const CullState& state);

// When people are told of an end again, as it comes near.
inline constexpr seconds kWarnedAt[] = {
    std::chrono::hours(1), std::chrono::minutes(15), std::chrono::minutes(5)};
// How many of those times are over with so much left.
std::size_t warnings_due(seconds left);

// How long a server has been idle and how old it is, by the clock that never jumps. Times of day are trusted
// only as far as that one allows.
class LifeClock {
public:
    using Steady = std::chrono::steady_clock::time_point;

    // First seen now. `most`: it cannot be older or idle for longer, as one that came while we watched.
    LifeClock(
        Timestamp started,
        std::optional<Timestamp> last_activity,
        Timestamp wall,
        Steady now,
        std::optional<seconds> most);
    // The latest activity as the row has it; may come late, so it may lie in the past.
    void see(std::optional<Timestamp> last_activity, Timestamp wall, Steady now);

    seconds idle(Steady now) const;
    seconds age(Steady now) const;

private:
    std::optional<Timestamp> seen_;
    Steady born_;
    Steady worked_;
};

// "90 s", "60 min", "8 h", "1 h 30 min", "7 d".
std::string in_words(seconds span);
// For the person, before: "Nothing has been done in it for a while."
std::string why_it_ends(EndReason reason);
// For the person, afterwards: "Stopped after 60 min without activity."
std::string why_stopped(EndReason reason, const CullPolicy& policy);

}  // namespace berth::hub
