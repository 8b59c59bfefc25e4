#include "gpu/replay.hpp"

#include "gpu/idle_limit.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

ReplayParameters small() {
    ReplayParameters parameters;
    parameters.days = 4;
    parameters.devices = 3;
    parameters.users = 10;
    parameters.demand = 2;
    return parameters;
}

TEST(Replay, TheSameParametersGiveTheSameOutcome) {
    const auto once = replay(small(), Discipline::berth);
    const auto again = replay(small(), Discipline::berth);
    EXPECT_EQ(once.served, again.served);
    EXPECT_EQ(once.work_done_hours, again.work_done_hours);
    auto other = small();
    other.seed = 2;
    EXPECT_NE(replay(other, Discipline::berth).work_done_hours, once.work_done_hours);
}

TEST(Replay, TheTraceAsksForWhatTheParametersSay) {
    auto parameters = small();
    parameters.days = 30;
    double work = 0, idle = 0;
    const auto trace = replay_trace(parameters);
    for (const auto& session : trace) {
        for (const auto& each : session.work) {
            work += static_cast<double>(each.length.count());
            idle += static_cast<double>(each.idle_before.count());
        }
        idle += static_cast<double>(session.idle_after.count());
    }
    EXPECT_NEAR(idle / (work + idle), 0.7, 1e-6);
    EXPECT_NEAR((work + idle) / 3.6e9, 2.0 * 30 * 24 * 3, 100);
    EXPECT_TRUE(std::is_sorted(
        trace.begin(), trace.end(), [](const auto& a, const auto& b) { return a.arrives < b.arrives; }));
}

TEST(Replay, NoDisciplineGivesMoreThanThereIs) {
    for (const auto discipline : {Discipline::hold_until_logout, Discipline::first_come, Discipline::berth}) {
        const auto outcome = replay(small(), discipline);
        EXPECT_LE(outcome.held_share, 1) << name_of(discipline);
        EXPECT_LE(outcome.busy_share, outcome.held_share + 1e-9) << name_of(discipline);
        EXPECT_LE(outcome.work_done_hours, outcome.work_wanted_hours) << name_of(discipline);
        EXPECT_LE(outcome.finished, outcome.served) << name_of(discipline);
        EXPECT_LE(outcome.served, outcome.sessions) << name_of(discipline);
    }
}

TEST(Replay, TakingBackIdleOnesServesMoreAndSooner) {
    auto parameters = small();
    parameters.days = 14;
    const auto hold = replay(parameters, Discipline::hold_until_logout);
    const auto berth = replay(parameters, Discipline::berth);
    EXPECT_EQ(hold.sessions, berth.sessions);
    EXPECT_GT(berth.served, hold.served);
    EXPECT_LT(berth.wait_median_hours, hold.wait_median_hours);
    EXPECT_GT(berth.reclaimed_idle, 0U);
    EXPECT_EQ(berth.past_bound, 0U);
}

TEST(Replay, WithoutScarcityNobodyWaits) {
    auto parameters = small();
    parameters.demand = 0.05;
    const auto outcome = replay(parameters, Discipline::berth);
    EXPECT_EQ(outcome.wait_max_hours, 0);
    EXPECT_EQ(outcome.reclaimed_idle, 0U);
    EXPECT_NEAR(outcome.jain, 1, 0.05);
}

TEST(Replay, AShorterIdleTimeIsWhatServesMore) {
    auto parameters = small();
    parameters.days = 14;
    parameters.demand = 4;
    const auto an_hour = replay(parameters, Discipline::berth);
    parameters.reclaim_idle_minutes = 6 * 60;
    const auto six_hours = replay(parameters, Discipline::berth);
    EXPECT_GT(an_hour.served, six_hours.served);
    EXPECT_GT(an_hour.reclaimed_idle, six_hours.reclaimed_idle);
}

TEST(Replay, NobodyIsStoppedAtWorkByAReclaim) {
    auto parameters = small();
    parameters.demand = 4;
    parameters.lease_hours = 1000;  // so that nothing else ends one
    const auto outcome = replay(parameters, Discipline::berth);
    EXPECT_GT(outcome.reclaimed_idle, 0U);
    EXPECT_EQ(outcome.ended_at_work, 0U);
}

TEST(Replay, TheIdleLimitFallsWithTheWaitToAThird) {
    using std::chrono::minutes;
    EXPECT_EQ(idle_limit(minutes(60), minutes(0)), minutes(60));
    EXPECT_EQ(idle_limit(minutes(60), minutes(25)), minutes(35));
    EXPECT_EQ(idle_limit(minutes(60), minutes(40)), minutes(20));
    EXPECT_EQ(idle_limit(minutes(60), minutes(1000)), minutes(20));
    EXPECT_EQ(idle_limit(minutes(60), minutes(-5)), minutes(60)) << "a clock that was set back";
    EXPECT_EQ(idle_limit(minutes(0), minutes(10)), minutes(0)) << "never stays never";
}

TEST(Replay, JainAndFairParts) {
    EXPECT_DOUBLE_EQ(jain_index({2, 2, 2}), 1);
    EXPECT_DOUBLE_EQ(jain_index({1, 0, 0, 0}), 0.25);
    EXPECT_EQ(fair_parts({1, 10, 10}, 9), (std::vector<double>{1, 4, 4}));
    EXPECT_EQ(fair_parts({1, 2}, 9), (std::vector<double>{1, 2}));
}

TEST(Replay, ParametersAreCheckedByName) {
    const auto parsed = parse_replay(json::parse(R"({"seed": 7, "demand": 3, "users": 5})"));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->seed, 7U);
    EXPECT_EQ(parsed->users, 5U);
    EXPECT_FALSE(parse_replay(json::parse(R"({"demands": 3})")));
    EXPECT_FALSE(parse_replay(json::parse(R"({"demand": -1})")));
    EXPECT_FALSE(parse_replay(json::parse(R"({"demand": "much"})")));
    EXPECT_FALSE(parse_replay(json::parse(R"({"day": [1, 2]})")));
    EXPECT_FALSE(parse_replay(json::parse("[]")));
}

}  // namespace
}  // namespace berth::gpu
