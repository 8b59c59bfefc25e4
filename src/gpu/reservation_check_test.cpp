// What is accepted as a reservation is kept; what could not be is refused with what is in the way.
#include "gpu/reservation_check.hpp"

#include "gpu/scheduler_world_test.hpp"

#include <algorithm>
#include <random>

namespace berth::gpu {
namespace {

using Rule = ReservationObstacle::Rule;

Reservation reservation_of(
    const SchedulerWorld& world, std::int64_t id, int from, int until, std::uint32_t count = 1) {
    Reservation reservation{.id = ReservationId{id}, .user = UserId{id}};
    reservation.wish.count = count;
    reservation.begin = world.now + hours(from);
    reservation.end = world.now + hours(until);
    return reservation;
}

TEST(ReservationCheck, NamesTheRule) {
    SchedulerWorld world;
    world.devices(2);
    const auto obstacle = [&](const Reservation& wanted) {
        return obstacle_to(world.scheduler.state(), wanted, world.now);
    };
    EXPECT_EQ(obstacle(reservation_of(world, 1, 0, 1, 3))->rule, Rule::beyond_what_exists);
    world.list[1].eligible = false;
    (void)world.take(DevicesChanged{world.list});
    EXPECT_EQ(obstacle(reservation_of(world, 1, 0, 1, 2))->rule, Rule::not_usable);
    world.devices(2);
    (void)world.ask(SchedulerWorld::request(1, 9, 1, hours(4)));
    const auto held = obstacle(reservation_of(world, 1, 2, 5, 2));
    ASSERT_TRUE(held);
    EXPECT_EQ(held->rule, Rule::held);
    EXPECT_EQ(held->could_have, 1U);
    EXPECT_EQ(held->leases, std::vector{LeaseId{1001}});
    EXPECT_FALSE(obstacle(reservation_of(world, 1, 4, 5, 2))) << "it has ended by then";
    const auto first = reservation_of(world, 1, 1, 3);
    ASSERT_FALSE(obstacle(first));
    (void)world.take(ReservationsChanged{{first}});
    const auto beside = obstacle(reservation_of(world, 2, 2, 4));
    ASSERT_TRUE(beside);
    EXPECT_EQ(beside->rule, Rule::reserved);
    EXPECT_EQ(beside->reservations, std::vector{ReservationId{1}});
}

// One that begins sooner would take the device that a later one needs.
TEST(ReservationCheck, AnEarlierOneMustLeaveTheLaterOnesTheirs) {
    SchedulerWorld world;
    world.devices(2);
    const auto later = reservation_of(world, 2, 4, 8, 2);
    (void)world.take(ReservationsChanged{{later}});
    const auto obstacle = obstacle_to(world.scheduler.state(), reservation_of(world, 1, 2, 5), world.now);
    ASSERT_TRUE(obstacle);
    EXPECT_EQ(obstacle->rule, Rule::reserved);
    EXPECT_FALSE(obstacle_to(world.scheduler.state(), reservation_of(world, 1, 2, 4), world.now));
}

struct Timeline : SchedulerWorld {
    void pass(Duration time) {
        now += time;
        std::vector<LeaseId> over;
        for (const auto& [id, lease] : scheduler.state().holdings) {
            if (lease.deadline && *lease.deadline <= now) over.push_back(id);
        }
        for (const LeaseId id : over)
            (void)take(LeaseEnded{id});
        (void)take(Tick{});
    }
    // Devices that a running reservation lacks: neither its owner's nor free for it.
    std::size_t lacking(const Reservation& reservation) const {
        const auto& state = scheduler.state();
        const auto spans = reserved_spans(state, now);
        std::size_t has = 0;
        for (const auto& [id, lease] : state.holdings)
            has += counts_towards(reservation, lease, now) ? lease.devices.size() : 0;
        for (std::size_t at = 0; at < spans.size(); ++at) {
            for (const auto& span : spans[at]) {
                const bool mine = state.reservations[span.reservation].id == reservation.id;
                has += mine && state.has_room(at, Sharing::exclusive) ? 1 : 0;
            }
        }
        return reservation.wish.count - std::min<std::size_t>(has, reservation.wish.count);
    }
};

TEST(ReservationCheckProperty, WhatWasAcceptedIsKept) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        Timeline world;
        world.devices(3);
        std::vector<Reservation> accepted;
        for (std::int64_t step = 1; step <= 150; ++step) {
            if (random() % 3 == 0) {
                const int from = static_cast<int>(random() % 12);
                const int until = from + 1 + static_cast<int>(random() % 6);
                auto wanted =
                    reservation_of(world, step, from, until, 1 + static_cast<std::uint32_t>(random() % 2));
                if (!obstacle_to(world.scheduler.state(), wanted, world.now)) {
                    accepted.push_back(wanted);
                    (void)world.take(ReservationsChanged{accepted});
                }
            } else {
                const auto length = hours(1 + random() % 8);
                const auto user = 1000 + static_cast<std::int64_t>(random() % 4);
                (void)world.ask(SchedulerWorld::request(
                    step, user, 1 + static_cast<std::uint32_t>(random() % 2), length));
            }
            world.pass(minutes(30));
            std::erase_if(accepted, [&](const auto& each) { return each.end <= world.now; });
            for (const auto& each : accepted) {
                if (each.begin <= world.now) {
                    ASSERT_EQ(world.lacking(each), 0U) << "step " << step;
                }
            }
        }
    }
}

}  // namespace
}  // namespace berth::gpu
