// What every spawner must do, run by every implementation and every double. A subject is a class with
//   std::string unavailable()      why it cannot run here; "" when it can
//   Spawner& spawner()             the adapter, made in the constructor from (Harness&)
//   void restart_hub()             a new adapter on the same backend, as after a hub's restart
//   StartPlan plan(std::int64_t server, std::int64_t generation)   of an instance of this test's own
//   void kill(const StartPlan&, const Endpoint&)                   ends the server behind the hub's back
//   static constexpr bool kStarts  false: start() never succeeds; only SpawnerContract applies, not its
//   second half static constexpr bool kAnswers the server answers HTTP at its endpoint
#pragma once

#include "http/client.hpp"
#include "net/listener.hpp"
#include "spawn/spawner.hpp"
#include "spawn/test_harness.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace berth::spawn::test {

using namespace std::chrono_literals;

inline Deadline soon() {
    return Deadline::in(100s);
}

template <class Subject>
class ContractFixture : public testing::Test {
protected:
    void SetUp() override {
        const std::string reason = subject.unavailable();
        if (!reason.empty()) GTEST_SKIP() << reason;
        const auto checked = harness.run(spawner().check(soon()));
        ASSERT_TRUE(checked) << checked.error().message << " " << checked.error().detail;
    }
    void TearDown() override {
        if (!subject.unavailable().empty()) return;
        auto left = harness.run(spawner().list(plan(1).instance, ListOf::ours, soon()));
        if (!left) return;
        for (const auto& found : left->found) {
            auto leftover = plan(number_of(found.server), found.generation);
            (void)harness.run(spawner().stop(leftover, found.endpoint.state, soon()));
        }
        harness.finish();  // before the subject goes: a watch refers to it
    }

    Spawner& spawner() { return subject.spawner(); }
    StartPlan plan(std::int64_t server, std::int64_t generation = 1) {
        return subject.plan(server, generation);
    }
    Result<Endpoint> start(const StartPlan& plan, Deadline deadline = soon()) {
        return harness.run(spawner().start(plan, [](int, std::string) {}, deadline));
    }
    Result<void> stop(const StartPlan& plan, SpawnState state = nullptr) {
        return harness.run(spawner().stop(plan, std::move(state), soon()));
    }
    Liveness liveness(const StartPlan& plan, SpawnState state = nullptr) {
        auto status = harness.run(spawner().poll(plan, std::move(state), soon()));
        EXPECT_TRUE(status) << status.error().message;
        return status ? status->liveness : Liveness::gone;
    }
    std::vector<Found> found() {
        auto all = harness.run(spawner().list(plan(1).instance, ListOf::ours, soon()));
        EXPECT_TRUE(all) << all.error().message;
        return all ? all->found : std::vector<Found>{};
    }
    bool answers(const std::string& url) {
        http::Client client(net::parse_http_url(url)->endpoint);
        const auto limit = Deadline::in(10s);
        while (!limit.passed()) {
            http::ClientRequest request;
            request.target = "/";
            if (harness.run(client.send(std::move(request), limit))) return true;
            harness.run_until([] { return true; });
            if (!Subject::kAnswers) return false;
            harness.run(pause());
        }
        return false;
    }
    static awaitable<int> pause() {
        co_await sleep_for(5ms);
        co_return 0;
    }

    Harness harness;
    Subject subject{harness};
};

// For every spawner, also those that cannot start anything.
template <class Subject>
class SpawnerContract : public ContractFixture<Subject> {};
TYPED_TEST_SUITE_P(SpawnerContract);

TYPED_TEST_P(SpawnerContract, StopOfWhatNeverWasSucceeds) {
    const auto never = this->plan(404);
    EXPECT_TRUE(this->stop(never));
    EXPECT_TRUE(this->stop(never));
    EXPECT_EQ(this->liveness(never), Liveness::gone);
    EXPECT_TRUE(this->found().empty());
}

TYPED_TEST_P(SpawnerContract, StopFromThePlanAloneAfterAStartOfAnyOutcomeLeavesNothing) {
    const auto plan = this->plan(1);
    (void)this->start(plan, Deadline::in(TypeParam::kStarts ? 45'000ms : 30ms));
    const auto stored = StartPlan::from_stored(plan.to_stored());
    ASSERT_TRUE(this->stop(stored));
    EXPECT_EQ(this->liveness(stored), Liveness::gone);
    EXPECT_TRUE(this->found().empty());
}

TYPED_TEST_P(SpawnerContract, CancelledStartLeavesWhatStopRemoves) {
    for (const auto after : {0ms, 1ms, 5ms, 20ms, 60ms}) {
        SCOPED_TRACE(after.count());
        const auto plan = this->plan(1);
        Error late{SpawnErrc::start_timeout, "cancelled by the test"};
        auto work = this->spawner().start(plan, [](int, std::string) {}, soon());
        (void)this->harness.run(
            with_deadline<Endpoint>(Deadline::in(after), std::move(late), std::move(work)));
        ASSERT_TRUE(this->stop(plan));
        EXPECT_EQ(this->liveness(plan), Liveness::gone);
        EXPECT_TRUE(this->found().empty());
    }
}

REGISTER_TYPED_TEST_SUITE_P(
    SpawnerContract,
    StopOfWhatNeverWasSucceeds,
    StopFromThePlanAloneAfterAStartOfAnyOutcomeLeavesNothing,
    CancelledStartLeavesWhatStopRemoves);

// For those whose start() succeeds.
template <class Subject>
class StartingSpawnerContract : public ContractFixture<Subject> {};
TYPED_TEST_SUITE_P(StartingSpawnerContract);

TYPED_TEST_P(StartingSpawnerContract, StartsListsAndStops) {
    const auto plan = this->plan(1);
    const auto endpoint = this->start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().message << " " << endpoint.error().detail;
    EXPECT_TRUE(endpoint->url.starts_with("http://")) << endpoint->url;
    EXPECT_EQ(this->answers(endpoint->url), TypeParam::kAnswers);
    EXPECT_EQ(this->liveness(plan, endpoint->state), Liveness::running);

    const auto all = this->found();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].server, plan.server);
    EXPECT_EQ(all[0].generation, plan.generation);
    EXPECT_EQ(all[0].key, plan.key);
    EXPECT_EQ(all[0].devices, plan.devices);
    EXPECT_EQ(all[0].liveness, Liveness::running);
    EXPECT_EQ(all[0].endpoint.url, endpoint->url);

    ASSERT_TRUE(this->stop(plan, endpoint->state));
    EXPECT_EQ(this->liveness(plan, endpoint->state), Liveness::gone);
    EXPECT_TRUE(this->found().empty());
    EXPECT_TRUE(this->stop(plan, endpoint->state));
}

TYPED_TEST_P(StartingSpawnerContract, StartOfARunningServerFindsIt) {
    const auto plan = this->plan(1);
    const auto first = this->start(plan);
    ASSERT_TRUE(first) << first.error().message << " " << first.error().detail;
    const auto second = this->start(plan);
    ASSERT_TRUE(second) << second.error().message << " " << second.error().detail;
    EXPECT_EQ(second->url, first->url);
    EXPECT_EQ(second->state, first->state);
    EXPECT_EQ(this->found().size(), 1U);
}

TYPED_TEST_P(StartingSpawnerContract, NewGenerationTakesTheOldOnesPlace) {
    ASSERT_TRUE(this->start(this->plan(1, 1)));
    const auto renewed = this->start(this->plan(1, 2));
    ASSERT_TRUE(renewed) << renewed.error().message << " " << renewed.error().detail;
    const auto all = this->found();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].generation, 2);
    // A late stop of the old one does not end the new one.
    ASSERT_TRUE(this->stop(this->plan(1, 1)));
    EXPECT_EQ(this->liveness(this->plan(1, 2), renewed->state), Liveness::running);
}

TYPED_TEST_P(StartingSpawnerContract, PollAfterACrashSaysGone) {
    const auto plan = this->plan(1);
    const auto endpoint = this->start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().message;
    this->subject.kill(plan, *endpoint);
    EXPECT_TRUE(this->harness.run_until(
        [&] { return this->liveness(plan, endpoint->state) == Liveness::gone; }, 10s));
    EXPECT_TRUE(this->stop(plan, endpoint->state));
    EXPECT_TRUE(this->found().empty());
}

TYPED_TEST_P(StartingSpawnerContract, WatchReportsAKill) {
    std::vector<std::pair<ServerId, std::int64_t>> gone;
    const auto plan = this->plan(7, 3);
    bool connected = false;
    auto on_gone = [&](ServerId server, std::int64_t generation, const Status& status) {
        EXPECT_EQ(status.liveness, Liveness::gone);
        gone.emplace_back(server, generation);
    };
    Watcher watcher{on_gone, [](ServerId, std::int64_t, const std::string&) {}, [&] { connected = true; }};
    this->harness.scope.spawn("watch", OnStop::cancel, this->spawner().watch(plan.instance, watcher));
    this->harness.run_until([&] { return connected; }, 1s);
    const auto endpoint = this->start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().message;
    EXPECT_TRUE(gone.empty());
    this->subject.kill(plan, *endpoint);
    EXPECT_TRUE(this->harness.run_until([&] { return !gone.empty(); }, 10s));
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_EQ(gone[0], std::pair(plan.server, plan.generation));
}

TYPED_TEST_P(StartingSpawnerContract, StateSurvivesTheStoreAndTheHub) {
    const auto plan = this->plan(1);
    const auto endpoint = this->start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().message;
    const auto stored_state = json::serialize(endpoint->state);
    const auto stored_plan = StartPlan::from_stored(plan.to_stored());
    this->subject.restart_hub();
    ASSERT_TRUE(this->harness.run(this->spawner().check(soon())));

    const SpawnState state = json::parse(stored_state);
    EXPECT_EQ(this->liveness(stored_plan, state), Liveness::running);
    const auto all = this->found();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].endpoint.url, endpoint->url);
    EXPECT_EQ(all[0].endpoint.state, state);
    EXPECT_EQ(this->answers(all[0].endpoint.url), TypeParam::kAnswers);
    ASSERT_TRUE(this->stop(stored_plan, state));
    EXPECT_TRUE(this->found().empty());
}

TYPED_TEST_P(StartingSpawnerContract, OtherInstancesAreNotSeen) {
    auto foreign = this->plan(1);
    foreign.instance += "-other";
    foreign.key.user.value += "-other";
    const auto endpoint = this->start(foreign);
    ASSERT_TRUE(endpoint) << endpoint.error().message << " " << endpoint.error().detail;
    EXPECT_TRUE(this->found().empty());
    auto mine = foreign;
    mine.instance = this->plan(1).instance;
    EXPECT_TRUE(this->stop(mine));
    EXPECT_EQ(this->liveness(foreign, endpoint->state), Liveness::running);
    EXPECT_TRUE(this->stop(foreign, endpoint->state));
}

TYPED_TEST_P(StartingSpawnerContract, VerifyComparesTheDevicesWithTheLease) {
    auto plan = this->plan(1);
    const auto endpoint = this->start(plan);
    ASSERT_TRUE(endpoint) << endpoint.error().message;
    auto same = this->harness.run(this->spawner().verify(plan, endpoint->state, soon()));
    EXPECT_TRUE(same) << same.error().detail;
    plan.devices = {DeviceUuid("GPU-0000dead")};
    auto other = this->harness.run(this->spawner().verify(plan, endpoint->state, soon()));
    ASSERT_FALSE(other);
    EXPECT_TRUE(other.error().is(SpawnErrc::devices_differ)) << other.error().message;
}

REGISTER_TYPED_TEST_SUITE_P(
    StartingSpawnerContract,
    StartsListsAndStops,
    StartOfARunningServerFindsIt,
    NewGenerationTakesTheOldOnesPlace,
    PollAfterACrashSaysGone,
    WatchReportsAKill,
    StateSurvivesTheStoreAndTheHub,
    OtherInstancesAreNotSeen,
    VerifyComparesTheDevicesWithTheLease);

}  // namespace berth::spawn::test
