#include "gpu/scheduler_world_test.hpp"

namespace berth::gpu {
namespace {

using World = SchedulerWorld;

TEST(Scheduler, GrantsAtOnceAndLetsTheNextWaitForTheEnd) {
    World world;
    world.devices(2);
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    EXPECT_EQ(world.ask(World::request(2, 2)), Said{"2:b"});
    EXPECT_EQ(world.ask(World::request(3, 3)), Said{});
    EXPECT_EQ(world.scheduler.waiting(), 1U);
    EXPECT_EQ(world.end(2), Said{"3:b"});
    EXPECT_EQ(world.end(2), Said{});  // twice is once
    EXPECT_EQ(world.scheduler.waiting(), 0U);
}

TEST(Scheduler, AGrantHoldsItsDeviceFromTheDecisionOn) {
    World world;
    world.confirms = false;
    world.devices(1);
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    EXPECT_EQ(world.ask(World::request(2, 2)), Said{});
    EXPECT_EQ(world.take(GrantFailed{EntryId{1}}), Said{"1:a"});  // it keeps its place
    EXPECT_EQ(world.take(GrantFailed{EntryId{1}, false}), Said{"2:a"});
    EXPECT_EQ(world.scheduler.find(EntryId{1}), nullptr);
}

TEST(Scheduler, ACancelDuringTheCommitEndsTheLeaseThatComes) {
    World world;
    world.confirms = false;
    world.devices(1);
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    EXPECT_EQ(world.take(Cancel{EntryId{1}}), Said{});
    EXPECT_EQ(world.take(GrantConfirmed{EntryId{1}, LeaseId{1001}}), Said{"cancelled 1"});
    EXPECT_EQ(world.take(LeaseEnded{LeaseId{1001}}), Said{});
}

TEST(Scheduler, WhoHadLessGoesFirst) {
    World world;
    world.devices(1);
    world.scheduler.restore_usage(UserId{1}, "", 36000, world.now);
    EXPECT_EQ(world.ask(World::request(1, 9)), Said{"1:a"});
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{});
    EXPECT_EQ(world.ask(World::request(3, 2)), Said{});
    EXPECT_EQ(world.ask(World::request(4, 2)), Said{});
    EXPECT_EQ(world.end(1), Said{"3:a"});
    // The grant counts at once: user 2 has had two hours more than user 1's decayed ten? No: still less.
    EXPECT_EQ(world.end(3), Said{"4:a"});
    EXPECT_EQ(world.end(4), Said{"2:a"});
}

TEST(Scheduler, AGrantCountsAtOnceSoThatNobodyTakesAll) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 9));
    (void)world.ask(World::request(2, 8));
    for (std::int64_t i = 3; i <= 5; ++i)
        (void)world.ask(World::request(i, 1));
    (void)world.ask(World::request(6, 2));
    EXPECT_EQ(world.end(1), Said{"3:a"});
    EXPECT_EQ(world.end(2), Said{"6:b"});
}

// L6: with equal weight and permanent demand nobody is ahead by more than one lease.
TEST(Scheduler, EqualUsersStayWithinOneLease) {
    World world;
    world.devices(1);
    std::int64_t id = 0;
    for (int i = 0; i < 3; ++i) {
        (void)world.ask(World::request(++id, 1, 1, hours(8)));
        (void)world.ask(World::request(++id, 2, 1, hours(3)));
    }
    for (int round = 0; round < 200; ++round) {
        const auto& held = world.scheduler.state().holdings;
        ASSERT_EQ(held.size(), 1U);
        const Holding lease = held.begin()->second;
        world.now = *lease.deadline;
        (void)world.take(LeaseEnded{lease.id});
        const std::int64_t user = number_of(lease.asker.user);
        (void)world.ask(World::request(++id, user, 1, hours(user == 1 ? 8 : 3)));
        const FairShare& shares = world.scheduler.state().shares;
        const double apart = shares.usage(UserId{1}, world.now) - shares.usage(UserId{2}, world.now);
        EXPECT_LE(std::abs(apart), 8 * 3600.0 + 1);
    }
}

TEST(Scheduler, AHigherClassGoesFirstAndOldAgeCountsWithinTheClass) {
    World world;
    world.devices(1);
    (void)world.ask(World::request(1, 9));
    world.scheduler.restore_usage(UserId{1}, "", 36000, world.now);
    (void)world.ask(World::request(2, 1));
    world.now += hours(25);
    (void)world.ask(World::request(3, 2));
    auto urgent = World::request(4, 3);
    urgent.priority = 1;
    (void)world.ask(urgent);
    EXPECT_EQ(world.end(1), Said{"4:a"});
    EXPECT_EQ(world.end(4), Said{"2:a"});  // user 2 had less, but user 1 waited longer than age_max
}

TEST(Scheduler, BackfillNeverDelaysTheHead) {
    World world;
    world.devices(3);
    (void)world.ask(World::request(1, 1, 1, hours(4)));
    (void)world.ask(World::request(2, 2, 2, hours(8)));
    (void)world.end(2);  // a is held for four hours, b and c are free
    EXPECT_EQ(world.ask(World::request(3, 3, 3, hours(1))), Said{});       // waits for a
    EXPECT_EQ(world.ask(World::request(4, 4, 1, hours(5))), Said{});       // would delay it
    EXPECT_EQ(world.ask(World::request(5, 5, 1, hours(4))), Said{"5:b"});  // ends in time
    const auto estimates = world.scheduler.estimates(world.now);
    ASSERT_EQ(estimates.size(), 2U);
    EXPECT_EQ(estimates[0].latest_start, world.now + hours(4));
    EXPECT_EQ(estimates[1].latest_start, world.now + hours(5));
    world.now += hours(4);
    (void)world.end(1);
    EXPECT_EQ(world.end(5), Said{"3:abc"});
}

TEST(Scheduler, BackfillUsesWhatTheHeadCannotUse) {
    World world;
    world.list = {World::device("a", "A"), World::device("b", "B")};
    (void)world.take(DevicesChanged{world.list});
    auto of_a = World::request(1, 1);
    of_a.wish.model = "A";
    EXPECT_EQ(world.ask(of_a), Said{"1:a"});
    of_a.id = EntryId{2};
    EXPECT_EQ(world.ask(of_a), Said{});
    auto forever = World::request(3, 3);
    forever.wish.model = "B";
    forever.length = hours(10'000);
    EXPECT_EQ(world.ask(forever), Said{"3:b"});
}

TEST(Scheduler, NobodyKnowsTheStartBehindALeaseWithoutAnEnd) {
    SchedulerOptions options;
    options.default_length = std::nullopt;
    World world(options);
    world.devices(2);
    auto endless = World::request(1, 1);
    endless.length = std::nullopt;
    EXPECT_EQ(world.ask(endless), Said{"1:a"});
    EXPECT_EQ(world.ask(World::request(2, 2, 2)), Said{});
    EXPECT_FALSE(world.scheduler.estimates(world.now)[0].latest_start);
    EXPECT_EQ(world.ask(World::request(3, 3, 1, hours(3))), Said{});
    EXPECT_EQ(world.ask(World::request(4, 4, 1, hours(2))), Said{"4:b"});
}

TEST(Scheduler, IdleLeasesGoOnlyWhenSomebodyWaits) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 1));
    (void)world.ask(World::request(2, 2));
    EXPECT_EQ(world.take(IdleMarked{LeaseId{1001}}), Said{});
    EXPECT_EQ(world.ask(World::request(3, 3)), Said{"idle 1"});
    EXPECT_EQ(world.ask(World::request(4, 4)), Said{});  // nothing else is idle
    EXPECT_EQ(world.take(Tick{}), Said{});               // asked for once
    EXPECT_EQ(world.take(IdleMarked{LeaseId{1002}}), Said{"idle 2"});
    EXPECT_EQ(world.end(1), Said{"3:a"});
    EXPECT_EQ(world.end(2), Said{"4:b"});
}

TEST(Scheduler, OneWhoWaitsTakesBackOnlyOne) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 1));
    (void)world.ask(World::request(2, 2));
    (void)world.take(IdleMarked{LeaseId{1001}});
    (void)world.take(IdleMarked{LeaseId{1002}});
    EXPECT_EQ(world.ask(World::request(3, 3)).size(), 1U);
    EXPECT_EQ(world.take(Tick{}), Said{});
}

TEST(Scheduler, OneWhoWorksAgainKeepsTheGpuAndAnotherIsAsked) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 1));
    (void)world.ask(World::request(2, 2));
    (void)world.take(IdleMarked{LeaseId{1001}});
    EXPECT_EQ(world.ask(World::request(3, 3)), Said{"idle 1"});
    EXPECT_EQ(world.take(ReclaimRevoked{LeaseId{1001}}), Said{});
    EXPECT_EQ(world.take(IdleMarked{LeaseId{1002}}), Said{"idle 2"});
    EXPECT_EQ(world.take(IdleMarked{LeaseId{1001}}), Said{});  // one is enough
}

TEST(Scheduler, NobodyIsInterruptedForWhatWouldStillNotFit) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 1));
    (void)world.ask(World::request(2, 2));
    (void)world.take(IdleMarked{LeaseId{1001}});
    EXPECT_EQ(world.ask(World::request(3, 3, 2)), Said{});
    EXPECT_EQ(world.take(IdleMarked{LeaseId{1002}}), (Said{"idle 1", "idle 2"}));
}

TEST(Scheduler, PreemptionNeedsItsSwitchItsTimeAndAMargin) {
    SchedulerOptions options;
    options.preemption.enabled = true;
    World world(options);
    world.devices(1);
    auto cheap = World::request(1, 1);
    cheap.preemptible = true;
    (void)world.ask(cheap);
    EXPECT_EQ(world.ask(World::request(2, 2)), Said{});
    world.now += minutes(31);
    EXPECT_EQ(world.take(Tick{}), Said{});  // user 1 has had two hours, user 2 would have as much
    world.now += hours(2);
    EXPECT_EQ(world.take(Tick{}), Said{"preempted 1"});
    EXPECT_EQ(world.end(1), Said{"2:a"});
    cheap.id = EntryId{3};
    EXPECT_EQ(world.ask(cheap), Said{});
    world.now += hours(1);
    EXPECT_EQ(world.take(Tick{}), Said{});  // and not back again
}

TEST(Scheduler, NothingIsPreemptedUnlessItIsSwitchedOn) {
    World world;
    world.devices(1);
    auto cheap = World::request(1, 1);
    cheap.preemptible = true;
    (void)world.ask(cheap);
    (void)world.ask(World::request(2, 2));
    world.now += hours(5);
    EXPECT_EQ(world.take(Tick{}), Said{});
}

TEST(Scheduler, AReservationSticksToDevicesThatWork) {
    World world;
    world.devices(3);
    world.list[2].eligible = false;
    (void)world.take(DevicesChanged{world.list});
    Reservation reservation{.id = ReservationId{1}, .user = UserId{7}};
    reservation.begin = world.now + hours(1);
    reservation.end = world.now + hours(6);
    (void)world.take(ReservationsChanged{{reservation}});
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    EXPECT_EQ(world.ask(World::request(2, 2)), Said{});  // b is kept: c does not work
}

TEST(Scheduler, AnIdleOwnerOfAReservationKeepsWhatWouldComeBackToThem) {
    World world;
    world.devices(1);
    Reservation reservation{.id = ReservationId{1}, .user = UserId{7}};
    reservation.begin = world.now;
    reservation.end = world.now + hours(8);
    (void)world.take(ReservationsChanged{{reservation}});
    EXPECT_EQ(world.ask(World::request(1, 7)), Said{"1:a"});
    (void)world.take(IdleMarked{LeaseId{1001}});
    EXPECT_EQ(world.ask(World::request(2, 2)), Said{});
}

TEST(Scheduler, OverdueAndUnstartedLeasesAreTakenBack) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 1, 1, hours(1)));
    world.confirms = false;
    (void)world.ask(World::request(2, 2));
    (void)world.take(GrantConfirmed{EntryId{2}, LeaseId{1002}, world.now + hours(8)});
    world.now += minutes(10);
    EXPECT_EQ(world.take(Tick{}), Said{"not_started 2"});
    world.now += minutes(50);
    EXPECT_EQ(world.take(Tick{}), Said{"over 1"});
    EXPECT_EQ(world.take(Tick{}), Said{});
}

TEST(Scheduler, AReservationIsKeptForItsOwner) {
    World world;
    world.devices(2);
    Reservation reservation{.id = ReservationId{1}, .user = UserId{7}};
    reservation.begin = world.now + hours(4);
    reservation.end = world.now + hours(6);
    (void)world.take(ReservationsChanged{{reservation}});
    EXPECT_EQ(world.ask(World::request(1, 1, 2, hours(5))), Said{});
    EXPECT_EQ(world.ask(World::request(2, 2, 1, hours(5))), Said{"2:a"});
    EXPECT_EQ(world.ask(World::request(3, 3, 1, hours(5))), Said{});
    EXPECT_EQ(world.ask(World::request(4, 4, 1, hours(4))), Said{"4:b"});
    world.now += hours(4);
    EXPECT_EQ(world.end(4), Said{});
    EXPECT_EQ(world.ask(World::request(5, 7, 1, hours(1))), Said{"5:b"});
    EXPECT_EQ(world.end(5), Said{});
    world.now += hours(2);
    EXPECT_EQ(world.take(Tick{}), Said{"over 2"});
    EXPECT_EQ(world.end(2), Said{"1:ab"});  // the first in line, for which b was kept in turn
}

TEST(Scheduler, SaysWhatCanNeverFit) {
    World world;
    world.devices(2);
    EXPECT_EQ(
        world.ask(World::request(1, 1, 3)),
        Said{"no 1: You asked for 3 GPUs; there are only 2 GPUs of that kind. Ask for fewer."});
    EXPECT_EQ(
        world.ask(World::request(2, 1, 0)), Said{"no 2: Ask for at least one GPU, or start without any."});
}

TEST(Scheduler, WhoDoesNotWaitHearsWhatWouldHelp) {
    World world;
    world.list = {World::device("a", "A"), World::device("b", "B")};
    (void)world.take(DevicesChanged{world.list});
    auto request = World::request(1, 1);
    request.wish.model = "A";
    (void)world.ask(request);
    request.id = EntryId{2};
    request.wait = false;
    const auto said = world.ask(request);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_NE(said[0].find("Ask for model B: it is free now."), std::string::npos) << said[0];
    EXPECT_NE(said[0].find("The end of lease 1001"), std::string::npos) << said[0];
    EXPECT_EQ(world.scheduler.waiting(), 0U);
}

TEST(Scheduler, WhyNamesARuleForEachDevice) {
    World world;
    world.devices(4);
    (void)world.ask(World::request(1, 1, 1, hours(2)));
    world.list[1].eligible = false;
    world.list[1].unavailable = "Xid 79: fallen off the bus";
    world.list[2].external = 1;
    (void)world.take(DevicesChanged{world.list});
    (void)world.ask(World::request(2, 2, 2, hours(2)));
    const auto why = world.scheduler.why(World::request(3, 3, 1, hours(8)), world.now);
    ASSERT_EQ(why.devices.size(), 4U);
    EXPECT_EQ(why.devices[0].exclusion, Exclusion::in_use);
    EXPECT_EQ(why.devices[0].free_at, world.now + hours(2));
    EXPECT_EQ(why.devices[1].text, "Xid 79: fallen off the bus");
    EXPECT_EQ(why.devices[2].text, "used from outside Berth");
    EXPECT_EQ(why.devices[3].exclusion, Exclusion::kept);
    EXPECT_FALSE(why.starts_now);
    EXPECT_EQ(why.estimate.position, 2U);
    EXPECT_EQ(why.estimate.latest_start, world.now + hours(4));
}

TEST(Scheduler, ChoosesByThePolicyOfThePool) {
    SchedulerOptions options;
    options.policy = Policy::lru;
    options.policy_of_pool["fast"] = Policy::round_robin;
    World world(options);
    world.list = {World::device("a"), World::device("b"), World::device("c"), World::device("d")};
    world.list[2].pool = world.list[3].pool = "fast";
    (void)world.take(DevicesChanged{world.list});
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    (void)world.end(1);
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{"2:b"});  // never used
    auto fast = World::request(3, 1);
    fast.wish.pool = "fast";
    EXPECT_EQ(world.ask(fast), Said{"3:c"});
    (void)world.end(3);
    fast.id = EntryId{4};
    EXPECT_EQ(world.ask(fast), Said{"4:d"});
}

TEST(Scheduler, SharedOnesFillADeviceUpToItsFactor) {
    World world;
    world.devices(1, 2);
    auto shared = World::request(1, 1);
    shared.wish.sharing = Sharing::shared;
    EXPECT_EQ(world.ask(shared), Said{"1:a"});
    shared.id = EntryId{2};
    EXPECT_EQ(world.ask(shared), Said{"2:a"});
    shared.id = EntryId{3};
    shared.length = hours(9);
    EXPECT_EQ(world.ask(shared), Said{});
    EXPECT_EQ(world.ask(World::request(4, 2)), Said{});  // alone
    EXPECT_EQ(world.end(1), Said{});                     // user 2 had less, and waits for all of it
    EXPECT_EQ(world.end(2), Said{"3:a"});                // now both had nothing, and 3 came first
    EXPECT_EQ(world.end(3), Said{"4:a"});
}

TEST(Scheduler, AMigInstanceAndItsParentAreNeverGivenTogether) {
    World world;
    world.devices(2);
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    auto instance = World::device("m", "A");
    instance.parent = DeviceUuid("a");
    world.list.push_back(instance);
    (void)world.take(DevicesChanged{world.list});
    EXPECT_EQ(world.ask(World::request(2, 2)), Said{"2:b"});
    EXPECT_EQ(world.ask(World::request(3, 3)), Said{});  // its parent is still held whole
    EXPECT_EQ(world.end(1), Said{"3:m"});
    EXPECT_EQ(world.ask(World::request(4, 4)), Said{});  // and a is cut now
}

TEST(Scheduler, AnExtensionYieldsToReservationsAndTheQueue) {
    World world;
    world.devices(1);
    (void)world.ask(World::request(1, 1, 1, hours(2)));
    EXPECT_FALSE(world.scheduler.extension_refusal(LeaseId{1001}, world.now + hours(8), world.now));
    Reservation reservation{.id = ReservationId{1}, .user = UserId{7}};
    reservation.begin = world.now + hours(4);
    reservation.end = world.now + hours(6);
    (void)world.take(ReservationsChanged{{reservation}});
    EXPECT_TRUE(world.scheduler.extension_refusal(LeaseId{1001}, world.now + hours(8), world.now));
    EXPECT_FALSE(world.scheduler.extension_refusal(LeaseId{1001}, world.now + hours(3), world.now));
    (void)world.ask(World::request(2, 2, 1, hours(1)));
    EXPECT_TRUE(world.scheduler.extension_refusal(LeaseId{1001}, world.now + hours(3), world.now));
}

TEST(Scheduler, TheLikelyStartComesFromExperience) {
    World world;
    world.devices(1);
    for (std::int64_t i = 1; i <= 4; ++i) {
        (void)world.ask(World::request(i, 1, 1, hours(8)));
        world.now += hours(2);
        (void)world.end(i);
    }
    (void)world.ask(World::request(5, 1, 1, hours(8)));
    (void)world.ask(World::request(6, 2, 1, hours(8)));
    const auto estimate = world.scheduler.estimates(world.now).at(0);
    EXPECT_EQ(estimate.latest_start, world.now + hours(8));
    EXPECT_EQ(estimate.likely_start, world.now + hours(2));
}

}  // namespace
}  // namespace berth::gpu
