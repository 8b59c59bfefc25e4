#include "spawn/spawners/local/ending.hpp"

#include <gtest/gtest.h>

namespace berth::spawn::local {
namespace {

// The leader of the cases is process 10, begun at 100; the hub and everybody else are in session 1.
constexpr ProcessId kLeader{10, 100};

Seen process(pid_t pid, pid_t parent, pid_t session, bool marked = false) {
    return {{pid, static_cast<std::uint64_t>(pid) * 10}, parent, session, session, false, marked};
}

struct Case {
    std::string_view name;
    std::vector<Seen> all;
    std::vector<pid_t> want;
    std::set<ProcessId> known = {kLeader};
};

const std::vector<Case> kCases = {
    {"NobodyElse", {process(2, 1, 1), process(3, 2, 1)}, {}},
    {"TheLeaderAndItsChildren", {process(10, 2, 10), process(11, 10, 10), process(12, 2, 1)}, {10, 11}},
    {"ChildInASessionOfItsOwnWithoutTheMark", {process(10, 2, 10), process(11, 10, 11)}, {10, 11}},
    {"GrandchildListedBeforeItsParent",
     {process(5, 11, 5), process(11, 10, 11), process(10, 2, 10)},
     {10, 11, 5}},
    {"OrphanSeenBefore", {process(11, 1, 11)}, {11}, {kLeader, {11, 110}}},
    {"OrphanSeenBeforeWhosePidIsSomebodyElsesNow", {process(11, 1, 11)}, {}, {kLeader, {11, 109}}},
    {"MarkedOrphanAndItsUnmarkedChild", {process(11, 1, 11, true), process(12, 11, 12)}, {11, 12}},
    {"UnmarkedOrphanInTheLeadersSessionBesideAMarkedOne",
     {process(11, 1, 10, true), process(12, 1, 10)},
     {11, 12}},
    {"SessionOfTheLeadersNumberWithoutEvidence", {process(11, 1, 10)}, {}},
    {"PidOfTheLeaderGivenToSomebodyElse", {{{10, 999}, 1, 10, 10}, process(11, 10, 10)}, {}},
    // A child of the hub is in the hub's session until it has one of its own.
    {"LeaderThatIsStillInOurSession", {process(10, 2, 1), process(3, 2, 1)}, {10}},
    {"MarkedProcessInSomebodysSession", {process(11, 3, 3, true), process(3, 1, 3)}, {11}},
};

TEST(MembersOf, AreThoseOfTheServerAndNobodyElse) {
    for (const auto& each : kCases) {
        std::set<pid_t> members;
        for (const auto& member : members_of(each.all, each.known))
            members.insert(member.id.pid);
        EXPECT_EQ(members, std::set<pid_t>(each.want.begin(), each.want.end())) << each.name;
    }
}

TEST(MembersOf, HaveNotEnded) {
    auto zombie = process(10, 2, 10);
    zombie.ended = true;
    EXPECT_TRUE(members_of({zombie}, {kLeader}).empty());
}

TEST(IsOurGroup, OnlyWhileAMemberIsInIt) {
    EXPECT_TRUE(is_our_group({process(11, 1, 10)}, 10));
    EXPECT_FALSE(is_our_group({process(11, 1, 11)}, 10));
    EXPECT_FALSE(is_our_group({}, 10));
    EXPECT_FALSE(is_our_group({process(11, 1, 0)}, 0)) << "kill(0) is our own group";
    EXPECT_FALSE(is_our_group({process(11, 1, 1)}, 1)) << "kill(-1) is everybody";
}

// pid (name) state parent group session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime
// cstime priority nice threads itrealvalue start_time …
std::string stat_of(const std::string& name, const std::string& state, const std::string& threads) {
    return "77 (" + name + ") " + state + " 5 6 7 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 " + threads +
           " 0 123456 1000000 300\n";
}

TEST(SeenIn, ReadsWhateverTheNameIs) {
    for (const auto* name : {"python3", "a) R 1 1 1", "with space", ""}) {
        const auto seen = seen_in(stat_of(name, "S", "1"));
        ASSERT_TRUE(seen) << name;
        EXPECT_EQ(seen->id, (ProcessId{77, 123456})) << name;
        EXPECT_EQ(seen->parent, 5);
        EXPECT_EQ(seen->group, 6);
        EXPECT_EQ(seen->session, 7);
        EXPECT_FALSE(seen->ended);
    }
    EXPECT_TRUE(seen_in(stat_of("x", "Z", "1"))->ended);
    EXPECT_FALSE(seen_in(stat_of("x", "Z", "3"))->ended) << "its other threads run on";
    for (const auto* torn : {"", "77", "77 (x", "77 (x) S 5 6"})
        EXPECT_FALSE(seen_in(torn)) << torn;
}

}  // namespace
}  // namespace berth::spawn::local
