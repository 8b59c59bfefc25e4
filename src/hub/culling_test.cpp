// Nobody is ended unwarned, kept servers go on, and neither a restart nor the clock ends anybody's work.
#include "hub/culling.hpp"

#include <gtest/gtest.h>

#include <random>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using Act = CullDecision::Act;

const CullPolicy kPolicy{60min, 8h, 10min, 1h, 3};
const Timestamp kNow{std::chrono::hours{500'000}};
const LifeClock::Steady kSteady{100h};

struct DecisionCase {
    const char* name;
    CullPolicy policy;
    CullState state;
    Act act;
    EndReason why;
    seconds left;
};

constexpr CullState state(
    seconds idle,
    seconds age,
    seconds kept = 0s,
    std::optional<seconds> warned = std::nullopt,
    bool unknown = false,
    seconds grace = 0s) {
    return {idle, age, kept, grace, warned, unknown};
}

const DecisionCase kCases[] = {
    {"NothingIsLimited", {0s, 0s, 10min, 1h, 3}, state(1000h, 1000h), Act::keep, EndReason::idle, 0s},
    {"Busy", kPolicy, state(0s, 1h), Act::keep, EndReason::idle, 60min},
    {"IdleButNotNearTheEnd", kPolicy, state(49min, 1h), Act::keep, EndReason::idle, 11min},
    {"WarnedWhenTheLeadBegins", kPolicy, state(50min, 1h), Act::warn, EndReason::idle, 10min},
    {"WarnedStill", kPolicy, state(55min, 1h, 0s, 5min), Act::warn, EndReason::idle, 5min},
    {"EndedWhenTheWarningIsOver", kPolicy, state(60min, 1h, 0s, 10min), Act::stop, EndReason::idle, 0s},
    {"NeverEndedUnwarned", kPolicy, state(100h, 1h), Act::warn, EndReason::idle, 10min},
    {"NeverEndedInTheMiddleOfAWarning", kPolicy, state(100h, 1h, 0s, 9min), Act::warn, EndReason::idle, 1min},
    {"WithoutWarningEndedAtOnce", {60min, 0s, 0s, 1h, 3}, state(60min, 1h), Act::stop, EndReason::idle, 0s},
    {"TooOldThoughBusy", kPolicy, state(0s, 8h, 0s, 10min), Act::stop, EndReason::age, 0s},
    {"TheNearerLimitCounts", kPolicy, state(55min, 475min), Act::warn, EndReason::idle, 10min},
    {"AgeNearerThanIdle", kPolicy, state(1min, 475min, 0s, 5min), Act::warn, EndReason::age, 5min},
    {"KeptRunning", kPolicy, state(100h, 9h, 1h), Act::keep, EndReason::idle, 1h},
    {"WarnedAgainBeforeTheExtensionEnds", kPolicy, state(100h, 1h, 10min), Act::warn, EndReason::idle, 10min},
    {"AWarningLongerThanTheLimitSparesWhoWorks",
     {10min, 0s, 1h, 1h, 3},
     state(4min, 1h),
     Act::keep,
     EndReason::idle,
     6min},
    {"AndIsGivenInFull", {10min, 0s, 1h, 1h, 3}, state(5min, 1h), Act::warn, EndReason::idle, 1h},
    {"AShortExtensionIsNotWarnedOfAtOnce",
     {60min, 0s, 10min, 5min, 3},
     state(61min, 2h, 4min),
     Act::keep,
     EndReason::idle,
     4min},
    {"OldReadingsAreNoIdleness", kPolicy, state(100h, 1h, 0s, 10min, true), Act::keep, EndReason::age, 7h},
    {"OldReadingsDoNotExtendTheAge", kPolicy, state(0s, 8h, 0s, 10min, true), Act::stop, EndReason::age, 0s},
    {"NobodyInTheGrace",
     {60min, 0s, 0s, 1h, 3},
     state(100h, 1h, 0s, {}, false, 5min),
     Act::keep,
     EndReason::idle,
     5min},
};

struct LeaseCase {
    const char* name;
    seconds lease_left;
    std::optional<seconds> lease_warned;
    seconds idle;
    seconds grace;
    Act act;
    EndReason why;
    seconds left;
};

const LeaseCase kLeaseCases[] = {
    {"Far", 2h, {}, 0s, 0s, Act::keep, EndReason::idle, 60min},
    {"TheNearerEndIsToldFirst", 50min, {}, 0s, 0s, Act::warn, EndReason::lease, 50min},
    {"IdleIsNearer", 50min, 10min, 52min, 0s, Act::warn, EndReason::idle, 10min},
    {"Over", 0s, 1h, 0s, 0s, Act::stop, EndReason::lease, 0s},
    {"OverButNotTold", -5min, {}, 0s, 0s, Act::warn, EndReason::lease, 5min},
    {"OverButTheHubHasJustStarted", 0s, 1h, 0s, 10min, Act::warn, EndReason::lease, 10min},
};

class LeaseDecision : public testing::TestWithParam<LeaseCase> {};
TEST_P(LeaseDecision, IsMade) {
    const auto& given = GetParam();
    auto now = state(given.idle, 1h, 0s, std::nullopt, false, given.grace);
    now.lease_left = given.lease_left;
    now.lease_warned = given.lease_warned;
    const auto made = decide(kPolicy, now);
    EXPECT_EQ(made.act, given.act);
    EXPECT_EQ(made.why, given.why);
    EXPECT_EQ(made.left, given.left);
}
INSTANTIATE_TEST_SUITE_P(Cull, LeaseDecision, testing::ValuesIn(kLeaseCases), [](const auto& each) {
    return std::string(each.param.name);
});

TEST(CullDecisions, KeepingAServerRunningDoesNotMoveTheEndOfItsLease) {
    auto kept = state(0s, 1h, 5h);
    kept.lease_left = 0s;
    kept.lease_warned = 1h;
    EXPECT_EQ(decide(kPolicy, kept).act, Act::stop);
}

TEST(CullDecisions, PeopleAreToldAtSixtyFifteenAndFiveMinutes) {
    EXPECT_EQ(warnings_due(61min), 0U);
    EXPECT_EQ(warnings_due(60min), 1U);
    EXPECT_EQ(warnings_due(15min), 2U);
    EXPECT_EQ(warnings_due(5min), 3U);
}

class Decision : public testing::TestWithParam<DecisionCase> {};
TEST_P(Decision, IsMade) {
    const auto& given = GetParam();
    const auto made = decide(given.policy, given.state);
    EXPECT_EQ(made.act, given.act);
    EXPECT_EQ(made.why, given.why);
    EXPECT_EQ(made.left, given.left);
}
INSTANTIATE_TEST_SUITE_P(Cull, Decision, testing::ValuesIn(kCases), [](const auto& each) {
    return std::string(each.param.name);
});

// However the hours go: an end follows a warning of the full length, and never falls into a kept hour.
TEST(CullProperty, NobodyIsEndedWithoutAFullWarning) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        std::mt19937_64 random(seed);
        auto up_to = [&](int most) { return seconds(random() % static_cast<unsigned>(most)); };
        const CullPolicy policy{up_to(7200), up_to(20000), up_to(900), 1h, 3};
        CullState now;
        seconds kept_until{0};
        seconds told_at{-1};
        for (seconds clock{0}; clock < 40000s; clock += up_to(300)) {
            if (random() % 20 == 0) now.idle = 0s;
            if (random() % 50 == 0) kept_until = clock + 1h;
            now.use_unknown = random() % 10 == 0;
            now.kept = std::max(kept_until - clock, 0s);
            now.warned = told_at.count() < 0 ? std::nullopt : std::optional(clock - told_at);
            const auto made = decide(policy, now);
            if (made.act == Act::keep) told_at = -1s;
            if (made.act == Act::warn && told_at.count() < 0) told_at = clock;
            if (made.act == Act::stop) {
                ASSERT_TRUE(policy.limits()) << seed;
                ASSERT_GE(now.warned.value_or(0s), policy.warning) << seed;
                ASSERT_EQ(now.kept, 0s) << seed;
                ASSERT_TRUE(made.why == EndReason::age || !now.use_unknown) << seed;
                break;
            }
            const auto step = up_to(120);
            now.idle += step;
            now.age += step;
        }
    }
}

config::CullRule rule(const char* profile, const char* group, std::optional<seconds> idle) {
    config::CullRule made;
    made.profile = profile;
    made.group = group;
    made.idle = idle;
    return made;
}

TEST(CullPolicyTest, TheNarrowestRuleWinsAndTheMostGenerousGroup) {
    config::CullOptions options;
    options.idle = 2h;
    options.max_age = 5h;
    options.rules = {
        rule("gpu", "", 1h), rule("", "staff", 8h), rule("", "guests", 30min), rule("gpu", "guests", 10min)};
    options.rules[1].max_age = 0s;
    EXPECT_EQ(policy_for(options, "cpu", {}).idle, 2h);
    EXPECT_EQ(policy_for(options, "gpu", {}).idle, 1h);
    EXPECT_EQ(policy_for(options, "gpu", {"staff"}).idle, 8h);
    EXPECT_EQ(policy_for(options, "cpu", {"guests", "staff"}).idle, 8h);
    EXPECT_EQ(policy_for(options, "gpu", {"guests", "staff"}).idle, 10min);  // it names both
    EXPECT_EQ(policy_for(options, "gpu", {}).max_age, 5h);
    EXPECT_EQ(policy_for(options, "gpu", {"staff"}).max_age, 0s);
    EXPECT_EQ(policy_for(options, "gpu", {}).warning, options.warning);
}

TEST(CullPolicyTest, NeverIsTheMostGenerous) {
    config::CullOptions options;
    options.rules = {rule("", "a", 0s), rule("", "b", 8h)};
    EXPECT_EQ(policy_for(options, "cpu", {"a", "b"}).idle, 0s);
    EXPECT_EQ(policy_for(options, "cpu", {"b"}).idle, 8h);
}

TEST(LifeClockTest, CountsFromTheRowAtTheHubsStart) {
    const LifeClock clock(kNow - 3h, kNow - 20min, kNow, kSteady, std::nullopt);
    EXPECT_EQ(clock.idle(kSteady + 1min), 21min);
    EXPECT_EQ(clock.age(kSteady), 3h);
}

TEST(LifeClockTest, AJumpOfTheClockChangesNothing) {
    for (const auto jump : {-48h, -1h, 1h, 48h}) {
        LifeClock clock(kNow - 3h, kNow - 20min, kNow, kSteady, std::nullopt);
        const auto later = kSteady + 5min;
        clock.see(kNow - 20min, kNow + 5min + jump, later);
        EXPECT_EQ(clock.idle(later), 25min);
        EXPECT_EQ(clock.age(later), 3h + 5min);
        // A report of before the jump that comes after it does not make anybody idle for days …
        clock.see(kNow + 2min, kNow + 5min + jump, later);
        EXPECT_LE(clock.idle(later), 25min);
        // … and work after it counts at once.
        clock.see(kNow + 5min + jump, kNow + 5min + jump, later);
        EXPECT_EQ(clock.idle(later), 0s);
    }
}

TEST(LifeClockTest, OneThatCameWhileWeWatchedIsAsYoungAsThat) {
    const LifeClock clock(kNow - 48h, std::nullopt, kNow, kSteady, 60s);
    EXPECT_EQ(clock.age(kSteady), 60s);
    EXPECT_EQ(clock.idle(kSteady), 60s);
}

TEST(LifeClockTest, TheStartCountsAsActivity) {
    const LifeClock clock(kNow - 1min, kNow - 48h, kNow, kSteady, std::nullopt);
    EXPECT_EQ(clock.idle(kSteady), 1min);
}

TEST(CullWords, SayWhatAPersonWouldSay) {
    EXPECT_EQ(in_words(90s), "90 s");
    EXPECT_EQ(in_words(60min), "60 min");
    EXPECT_EQ(in_words(150min), "2 h 30 min");
    EXPECT_EQ(in_words(8h), "8 h");
    EXPECT_EQ(in_words(24h * 7), "7 d");
    EXPECT_NE(why_stopped(EndReason::idle, kPolicy).find("after 60 min without activity"), std::string::npos);
    EXPECT_NE(why_stopped(EndReason::age, kPolicy).find("had run for 8 h"), std::string::npos);
}

}  // namespace
}  // namespace berth::hub
