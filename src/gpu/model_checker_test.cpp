// Walks through every state that the worlds of model_world_test.hpp can reach, nearest first, each once (by
// its digest), and says the shortest way to a violation. How many states at most: BERTH_MODEL_STATES for each
// scenario; a million together in the property suite, few with sanitizers.
#include "gpu/model_world_test.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <unordered_set>

namespace berth::gpu::model {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

std::size_t states_allowed() {
    const char* text = std::getenv("BERTH_MODEL_STATES");
    if (text) return std::strtoull(text, nullptr, 10);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 1500;
#else
    return 126'000;  // of each of the eight: more than a million
#endif
}

std::string name_of(World::Step step) {
    constexpr std::array kNames{"ask",
                                "cancel",
                                "commit",
                                "commit_fails",
                                "commit_late",
                                "resolve",
                                "create",
                                "create_late",
                                "inspect",
                                "create_fails",
                                "idle",
                                "busy",
                                "stop",
                                "removed",
                                "release",
                                "release_late",
                                "release_resolved",
                                "crash",
                                "clock",
                                "break_device"};
    return std::string(kNames[static_cast<std::size_t>(step.kind)]) + " " + std::to_string(step.job + 1);
}

struct Walk {
    std::size_t states = 0;
    std::size_t steps = 0;
    std::size_t crashes = 0;
    bool complete = false;
    std::string violation{};
};

// How each state was reached: its predecessor and the step.
struct Origin {
    std::uint32_t from = 0;
    World::Step step{};
};

std::string way_to(const std::vector<Origin>& origins, std::uint32_t at) {
    std::string way;
    for (; at != 0; at = origins[at].from)
        way = name_of(origins[at].step) + (way.empty() ? "" : ", ") + way;
    return way;
}

Walk walk(const Scenario& scenario, std::size_t most) {
    Walk result;
    std::deque<std::pair<World, std::uint32_t>> frontier;
    std::unordered_set<std::uint64_t> seen;
    std::vector<Origin> origins(1);
    frontier.emplace_back(World(scenario), 0);
    seen.insert(frontier.back().first.digest());
    while (!frontier.empty()) {
        const auto [world, number] = std::move(frontier.front());
        frontier.pop_front();
        ++result.states;
        for (const World::Step step : world.steps()) {
            World next = world;
            ++result.steps;
            result.crashes += step.kind == World::Step::Kind::crash ? 1 : 0;
            auto violation = next.take(step);
            const std::uint64_t digest = violation ? 0 : next.digest();
            const bool is_new = !violation && seen.insert(digest).second;
            if (is_new && digest % 16 == 0) violation = next.ends_well();
            if (violation) {
                result.violation = *violation + " after: " + way_to(origins, number) + ", " + name_of(step);
                return result;
            }
            if (!is_new || seen.size() > most) continue;
            origins.push_back({.from = number, .step = step});
            frontier.emplace_back(std::move(next), static_cast<std::uint32_t>(origins.size() - 1));
        }
    }
    result.complete = seen.size() <= most;
    return result;
}

ScheduledDevice device(std::string name, std::string model, std::uint32_t capacity = 1) {
    ScheduledDevice device;
    device.uuid = DeviceUuid(std::move(name));
    device.model = std::move(model);
    device.capacity = capacity;
    return device;
}

QueueRequest request(std::int64_t user, std::uint32_t count, Duration length) {
    QueueRequest request;
    request.asker.user = UserId{user};
    request.asker.name = "user" + std::to_string(user);
    request.wish.count = count;
    request.length = length;
    return request;
}

// One device, one of two that are linked, one cut into two instances; shared by two where it says so.
std::vector<ScheduledDevice> three_devices() {
    auto first = device("m1", "MIG"), second = device("m2", "MIG");
    first.parent = second.parent = DeviceUuid("c");
    auto external = device("x", "A");
    external.external = 1;
    return {device("a", "A"), device("b", "A", 2), device("c", "A"), first, second, external};
}

}  // namespace

Timestamp model_begin() {
    return Timestamp(hours(24 * 365 * 50));
}

std::vector<Scenario> scenarios() {
    std::vector<Scenario> all;
    Scenario plain{.name = "plain", .devices = three_devices()};
    plain.requests = {
        request(1, 1, hours(1)),
        request(2, 2, hours(1)),
        request(3, 1, minutes(30)),
        request(1, 1, hours(2))};
    all.push_back(plain);

    Scenario shared = plain;
    shared.name = "shared";
    for (const std::size_t i : {0UL, 2UL, 3UL})
        shared.requests[i].wish.sharing = Sharing::shared;
    shared.requests[1].wish.count = 1;
    all.push_back(shared);

    Scenario instances = plain;
    instances.name = "instances";
    instances.requests[0].wish.model = "MIG";
    instances.requests[1].wish.model = "MIG";
    instances.requests[2].priority = 1;
    instances.requests[3].wish.among = {DeviceUuid("a"), DeviceUuid("m1")};
    all.push_back(instances);

    Scenario quota = plain;
    quota.name = "quota";
    quota.rules = {{.name = "*", .devices = 1, .borrow = true}};
    quota.requests = {
        request(1, 1, hours(2)), request(1, 1, hours(2)), request(2, 1, hours(1)), request(3, 1, hours(1))};
    quota.devices = {device("a", "A"), device("b", "A")};
    all.push_back(quota);

    Scenario firm = quota;
    firm.name = "firm quota";
    firm.rules = {{.name = "*", .devices = 1}};
    all.push_back(firm);

    Scenario preemption = plain;
    preemption.name = "preemption";
    preemption.options.preemption.enabled = true;
    preemption.options.fair_share.penalty_limit = minutes(30);
    preemption.devices = {device("a", "A"), device("b", "A")};
    preemption.requests = {
        request(1, 1, hours(4)),
        request(2, 1, hours(4)),
        request(3, 2, minutes(30)),
        request(2, 1, minutes(30))};
    preemption.requests[0].preemptible = preemption.requests[1].preemptible = true;
    preemption.requests[3].priority = 1;
    all.push_back(preemption);

    Scenario reserved = plain;
    reserved.name = "reserved";
    reserved.devices = {device("a", "A"), device("b", "A"), device("c", "A")};
    Reservation reservation{.id = ReservationId{1}, .user = UserId{3}};
    reservation.wish.count = 2;
    reservation.begin = model_begin() + hours(1);
    reservation.end = model_begin() + hours(3);
    reserved.reservations = {reservation};
    reserved.requests = {
        request(1, 1, hours(1)), request(2, 2, hours(1)), request(3, 2, hours(1)), request(1, 1, hours(4))};
    all.push_back(reserved);

    Scenario backfill = plain;
    backfill.name = "backfill";
    backfill.devices = {device("a", "A"), device("b", "A"), device("c", "A")};
    backfill.requests = {
        request(1, 1, hours(2)),
        request(2, 3, hours(1)),
        request(3, 1, hours(2)),
        request(1, 1, minutes(30))};
    all.push_back(backfill);
    return all;
}

class ModelCheckerProperty : public testing::TestWithParam<std::size_t> {};

TEST_P(ModelCheckerProperty, EveryStateKeepsEveryRule) {
    const Scenario scenario = scenarios().at(GetParam());
    const Walk result = walk(scenario, states_allowed());
    std::cout << scenario.name << ": " << result.states << " states, " << result.steps << " steps, "
              << result.crashes << " crashes" << (result.complete ? ", all of them" : "") << std::endl;
    EXPECT_EQ(result.violation, "");
    EXPECT_GT(result.states, 100U);
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, ModelCheckerProperty, testing::Range<std::size_t>(0, 8), [](const auto& which) {
        std::string name = scenarios().at(which.param).name;
        std::replace(name.begin(), name.end(), ' ', '_');
        return name;
    });

}  // namespace berth::gpu::model
