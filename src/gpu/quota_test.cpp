#include "gpu/scheduler_world_test.hpp"

namespace berth::gpu {
namespace {

using World = SchedulerWorld;

TEST(Quota, ARefusalNamesTheRuleAndTheLeasesThatFillIt) {
    World world;
    world.devices(4);
    (void)world.take(RulesChanged{{{.name = "*", .devices = 2}}});
    EXPECT_EQ(world.ask(World::request(1, 1)), Said{"1:a"});
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{"2:b"});
    auto third = World::request(3, 1);
    third.wait = false;
    EXPECT_EQ(world.ask(third).at(0), "no 3: quota.user.gpu=2, in use 2 (leases 1001, 1002)");
    EXPECT_EQ(world.ask(World::request(4, 2)), Said{"4:c"});  // somebody else's limit is their own
    EXPECT_EQ(world.ask(World::request(5, 3, 3)).at(0), "no 5: quota.user.gpu=2, asked for 3");  // never fits
}

TEST(Quota, WhoIsHeldBackByTheirOwnLimitHoldsUpNobody) {
    World world;
    world.devices(3);
    (void)world.take(RulesChanged{{{.name = "*", .devices = 1}}});
    (void)world.ask(World::request(1, 1, 1, hours(3)));
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{});
    EXPECT_EQ(world.ask(World::request(3, 2)), Said{"3:b"});
    const auto estimate = world.scheduler.estimates(world.now).at(0);
    EXPECT_EQ(estimate.latest_start, world.now + hours(3));
    EXPECT_EQ(estimate.quota, "quota.user.gpu=1, in use 1 (lease 1001)");
    EXPECT_EQ(world.end(1), Said{"2:a"});
}

TEST(Quota, TheSmallestOfAllMatchingRulesHolds) {
    World world;
    world.devices(4);
    (void)world.take(RulesChanged{
        {{.name = "*", .devices = 4},
         {.scope = QuotaScope::group, .name = "ml", .devices = 1},
         {.scope = QuotaScope::project, .name = "*", .devices = 2},
         {.scope = QuotaScope::pool, .name = "", .devices = 3}}});
    auto request = World::request(1, 1);
    request.asker.groups = {"ml"};
    EXPECT_EQ(world.ask(request), Said{"1:a"});
    request.id = EntryId{2};
    request.asker.user = UserId{2};
    EXPECT_EQ(world.ask(request), Said{});
    EXPECT_EQ(world.scheduler.why(request, world.now).quota, "quota.group[ml].gpu=1, in use 1 (lease 1001)");
    EXPECT_EQ(world.ask(World::request(3, 3, 2)), Said{"3:bc"});
    EXPECT_EQ(world.ask(World::request(4, 4)), Said{});
    EXPECT_EQ(
        world.scheduler.why(World::request(4, 4), world.now).quota,
        "quota.pool.gpu=3, in use 3 (leases 1001, 1003)");
}

TEST(Quota, AProjectIsOneWhoeverHoldsForIt) {
    World world;
    world.devices(4);
    (void)world.take(RulesChanged{{{.scope = QuotaScope::project, .name = "*", .devices = 1}}});
    const auto ask = [&](int id, int user, const char* project) {
        auto request = World::request(id, user);
        request.asker.project = project;
        return world.ask(request);
    };
    EXPECT_EQ(ask(1, 1, "thesis"), Said{"1:a"});
    EXPECT_EQ(ask(2, 2, "thesis"), Said{});
    EXPECT_EQ(world.scheduler.estimates(world.now).at(0).quota, "quota.project.gpu=1, in use 1 (lease 1001)");
    EXPECT_EQ(ask(3, 1, "course"), Said{"3:b"});
    EXPECT_EQ(ask(4, 1, ""), Said{"4:c"}) << "what is held for none is counted for none";
    EXPECT_EQ(world.end(1), Said{"2:a"});
}

TEST(Quota, AModelLimitCountsEvenWhereNoModelWasNamed) {
    World world;
    world.list = {World::device("a", "A"), World::device("b", "A"), World::device("c", "B")};
    (void)world.take(DevicesChanged{world.list});
    (void)world.take(RulesChanged{{{.name = "*", .devices = 1, .model = "A"}}});
    EXPECT_EQ(world.ask(World::request(1, 1, 2)), Said{"1:ac"});
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{});
    EXPECT_EQ(world.ask(World::request(3, 2)), Said{"3:b"});
}

TEST(Quota, LengthsAndEntriesAreRefusedAtTheDoor) {
    World world;
    world.devices(1);
    (void)world.take(RulesChanged{{{.name = "*", .length = hours(12)}, {.name = "*", .entries = 1}}});
    EXPECT_EQ(
        world.ask(World::request(1, 1, 1, hours(13))).at(0),
        "no 1: quota.user.length_hours=12, asked for 13 h");
    (void)world.ask(World::request(2, 1));
    EXPECT_EQ(world.ask(World::request(3, 2)), Said{});
    EXPECT_EQ(world.ask(World::request(4, 2)).at(0), "no 4: quota.user.entries=1, waiting 1");
    EXPECT_TRUE(world.scheduler.extension_refusal(LeaseId{1002}, world.now + hours(13), world.now));
}

TEST(Quota, HoursCountWithinTheirWindow) {
    World world;
    world.devices(1);
    (void)world.take(RulesChanged{{{.name = "*", .gpu_hours = 4, .window = hours(24)}}});
    (void)world.ask(World::request(1, 1));
    world.now += hours(5);
    (void)world.end(1);
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{});
    EXPECT_EQ(
        world.scheduler.why(World::request(2, 1), world.now).quota,
        "quota.user.gpu_hours=4 in 1 days, used 5");
    world.now += hours(21);
    EXPECT_EQ(world.take(Tick{}), Said{"2:a"});
}

TEST(Quota, ALoweredLimitEndsNothing) {
    World world;
    world.devices(2);
    (void)world.ask(World::request(1, 1, 2));
    EXPECT_EQ(world.take(RulesChanged{{{.name = "*", .devices = 1}}}), Said{});
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{});
    EXPECT_EQ(world.scheduler.state().holdings.size(), 1U);
}

TEST(Quota, BorrowingGivesWayToWhoIsWithinTheirLimit) {
    World world;
    world.devices(2);
    (void)world.take(RulesChanged{{{.name = "*", .devices = 1, .borrow = true}}});
    (void)world.ask(World::request(1, 1));
    EXPECT_EQ(world.ask(World::request(2, 1)), Said{"2:b"});  // nobody waits
    world.now += minutes(31);
    EXPECT_EQ(world.ask(World::request(3, 2)), Said{"preempted 2"});
    EXPECT_EQ(world.end(2), Said{"3:b"});
    EXPECT_EQ(world.ask(World::request(4, 1)), Said{});
}

TEST(Quota, NobodyBorrowsWhileSomebodyWithinTheirLimitWaits) {
    World world;
    world.devices(3);
    (void)world.take(RulesChanged{{{.name = "*", .devices = 2, .borrow = true}}});
    EXPECT_EQ(world.ask(World::request(1, 1, 2)), Said{"1:ab"});
    EXPECT_EQ(world.ask(World::request(2, 2, 2)), Said{});
    EXPECT_EQ(world.ask(World::request(3, 1, 1, hours(1))), Said{});  // it would end in time, but is beyond
    EXPECT_EQ(world.take(Cancel{EntryId{2}}), Said{"3:c"});
}

}  // namespace
}  // namespace berth::gpu
