// More starts than may run at a time: the others wait in their row, and nothing of them is lost.
#include "hub/test_hub.hpp"
#include "store/queries.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using spawn::doubles::MemorySpawner;
using spawn::doubles::NeverSpawner;
using spawn::doubles::SlowSpawner;
using test::kAnn;
using test::kBob;
using test::kEve;
using test::options_with_gpus;
using test::TestHub;

config::Options one_at_a_time() {
    auto options = options_with_gpus({"GPU-a", "GPU-b"});
    options.spawn.concurrent_starts = 1;
    return options;
}

struct StartQueueTest : testing::Test {
    TestHub hub{one_at_a_time()};

    template <class Double>
    std::shared_ptr<Double> open(std::shared_ptr<Double> spawner) {
        hub.open(spawner);
        spawner->url = hub.notebook_url();
        for (const auto& key : {kAnn, kBob, kEve})
            hub.add_user(key.user.value);
        return spawner;
    }
    ~StartQueueTest() override {
        if (hub.store) hub.close();
        std::filesystem::remove_all(hub.dir);
    }
    Lifecycle stored(const ServerKey& key) {
        auto found = Lifecycle::stopped;
        const auto snapshot = hub.store->load();
        for (const auto& row : snapshot->servers) {
            if (row.user == hub.directory->find(key.user)->id()) found = row.lifecycle;
        }
        return found;
    }
    std::size_t position(const ServerKey& key) {
        return hub.start->position_of(*hub.servers->find(key)).value_or(0);
    }
};

TEST_F(StartQueueTest, TheSecondWaitsWithAPositionAndThenStarts) {
    const auto spawner = open(std::make_shared<SlowSpawner>(hub.io.get_executor(), 200ms));
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(hub.begin(kBob));
    EXPECT_EQ(position(kAnn), 0U);
    EXPECT_EQ(position(kBob), 1U);
    EXPECT_EQ(hub.servers->find(kBob)->pending(), "spawn");
    EXPECT_EQ(stored(kBob), Lifecycle::waiting);
    hub.settle(50ms);
    EXPECT_EQ(spawner->started().size(), 1U) << "the backend was asked before its turn";
    EXPECT_TRUE(*hub.wait_started(kAnn));
    EXPECT_TRUE(*hub.wait_started(kBob));
    EXPECT_EQ(spawner->running(), 2U);
}

TEST_F(StartQueueTest, CancelledWhileItWaitsItNeverStartsAndGivesItsDeviceBack) {
    const auto spawner = open(std::make_shared<NeverSpawner>(hub.io.get_executor()));
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(hub.begin(kBob));
    ASSERT_TRUE(hub.begin(kEve, json::object{{"profile", "cpu"}}));
    EXPECT_EQ(position(kEve), 2U);
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kBob), kBob)));
    ASSERT_TRUE(hub.wait_gone(kBob));
    EXPECT_EQ(position(kEve), 1U);
    EXPECT_EQ(hub.leases->all().size(), 1U);
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kAnn), kAnn)));
    ASSERT_TRUE(hub.wait_gone(kAnn));
    hub.settle(50ms);
    EXPECT_EQ(position(kEve), 0U) << "its turn";
    for (const auto& plan : spawner->started())
        EXPECT_NE(plan.key, kBob);
}

TEST_F(StartQueueTest, GivenUpAtItsDeadlineItSaysWhy) {
    hub.options.spawn.turn_timeout = 1s;
    open(std::make_shared<NeverSpawner>(hub.io.get_executor()));
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(hub.begin(kBob));
    const auto outcome = hub.wait_started(kBob);
    ASSERT_FALSE(outcome);
    EXPECT_NE(outcome.error().message.find("turn"), std::string::npos) << outcome.error().message;
    EXPECT_TRUE(hub.wait_gone(kBob));
    EXPECT_EQ(hub.leases->all().size(), 1U);
}

TEST_F(StartQueueTest, AHubThatDiesLosesNoneOfThoseWhoWait) {
    hub.options.spawn.http_timeout = 3s;
    open(std::make_shared<NeverSpawner>(hub.io.get_executor()));
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(hub.begin(kBob));
    ASSERT_TRUE(hub.begin(kEve, json::object{{"profile", "cpu"}}));
    const auto device = hub.servers->find(kBob)->devices;
    hub.close();

    TestHub next(hub.options, hub.dir);
    auto spawner = std::make_shared<MemorySpawner>(next.io.get_executor());
    next.open(spawner);
    spawner->url = next.notebook_url();
    ASSERT_TRUE(next.run(next.reconcile->once()));
    for (const auto& key : {kAnn, kBob, kEve}) {
        for (int i = 0; i < 200 && !next.servers->find(key)->ready(); ++i)
            next.settle(10ms);
        const auto server = next.servers->find(key);
        EXPECT_TRUE(server->ready()) << key.full_name() << store::name_of(server->row.lifecycle);
    }
    EXPECT_EQ(next.servers->find(kBob)->devices, device) << "it was promised this one";
    EXPECT_EQ(next.leases->all().size(), 2U);
    ASSERT_EQ(spawner->started().size(), 3U);
    EXPECT_EQ(spawner->started()[0].key, kAnn) << "in the order they were asked for";
    EXPECT_EQ(spawner->started()[1].key, kBob);
    EXPECT_EQ(spawner->started()[1].generation, 2);
    next.close();
}

// What an earlier hub had asked for appears after all, and ends, while the disk keeps the new decision
// waiting.
TEST_F(StartQueueTest, AStartThatIsTakenUpIsNobodyElsesUntilItIsCommitted) {
    open(std::make_shared<NeverSpawner>(hub.io.get_executor()));
    ASSERT_TRUE(hub.begin(kAnn));
    const auto promised = stored_plan(*hub.servers->find(kAnn));
    hub.close();

    TestHub next(hub.options, hub.dir);
    auto spawner = std::make_shared<MemorySpawner>(next.io.get_executor());
    next.open(spawner);
    spawner->url = next.notebook_url();
    next.scope.spawn("watch", OnStop::cancel, next.reconcile->watch());
    const auto server = next.servers->find(kAnn);
    next.store->commit_later([](store::Transaction&) { std::this_thread::sleep_for(500ms); });
    ASSERT_TRUE(next.run(next.reconcile->once()));
    next.settle(50ms);
    ASSERT_EQ(server->attempt, nullptr) << "it waits for the disk";
    ASSERT_TRUE(next.run(spawner->start(promised, [](int, std::string) {}, Deadline::in(1s))));
    ASSERT_TRUE(next.run(next.reconcile->once()));
    EXPECT_EQ(server->attempt, nullptr) << "nobody goes on with the old one";
    spawner->kill(promised.server);
    next.settle(50ms);
    EXPECT_FALSE(server->reaping) << "nor ends the new one for it";
    ASSERT_TRUE(*next.wait_started(kAnn));
    EXPECT_EQ(server->row.generation, 2);
    EXPECT_TRUE(server->row.spawn_plan.is_object());
    EXPECT_EQ(spawner->running(), 1U);
    next.close();
}

TEST_F(StartQueueTest, AStartThatNobodyCanStillWaitForIsNotTakenUp) {
    hub.options.spawn.start_timeout = 1s;
    open(std::make_shared<NeverSpawner>(hub.io.get_executor()));
    ASSERT_TRUE(hub.begin(kAnn));
    hub.close();
    std::this_thread::sleep_for(1100ms);

    TestHub next(hub.options, hub.dir);
    auto spawner = std::make_shared<MemorySpawner>(next.io.get_executor());
    next.open(spawner);
    ASSERT_TRUE(next.run(next.reconcile->once()));
    EXPECT_TRUE(next.wait_gone(kAnn));
    EXPECT_TRUE(spawner->started().empty());
    EXPECT_EQ(next.leases->all().size(), 0U);
    EXPECT_FALSE(next.servers->find(kAnn)->row.failure.empty());
    next.close();
}

}  // namespace
}  // namespace berth::hub
