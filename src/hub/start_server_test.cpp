// Whatever a start meets, no device ever has two living users, and nothing of it stays behind.
#include "hub/test_hub.hpp"
#include "store/queries.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using spawn::doubles::CrashingSpawner;
using spawn::doubles::LyingSpawner;
using spawn::doubles::MemorySpawner;
using spawn::doubles::NeverSpawner;
using spawn::doubles::SlowSpawner;
using test::kAnn;
using test::kBob;
using test::kEve;
using test::options_with_gpus;
using test::TestHub;

struct StartServerTest : testing::Test {
    TestHub hub{options_with_gpus({"GPU-a", "GPU-b"})};

    template <class Double = MemorySpawner>
    std::shared_ptr<Double> open() {
        auto spawner = std::make_shared<Double>(hub.io.get_executor());
        open_with(spawner);
        return spawner;
    }
    template <class Double>
    void open_with(std::shared_ptr<Double> spawner) {
        hub.open(spawner);
        spawner->url = hub.notebook_url();
        for (const auto& key : {kAnn, kBob, kEve}) {
            if (hub.directory->find(key.user) == nullptr) hub.add_user(key.user.value);
        }
    }
    ~StartServerTest() override {
        if (hub.store) hub.close();
        std::filesystem::remove_all(hub.dir);
    }
    std::uint32_t leases_on(const std::string& uuid) const {
        return hub.leases->ledger().find(DeviceUuid(uuid))->leases;
    }
    std::size_t live_leases() const { return hub.leases->all().size(); }
};

TEST_F(StartServerTest, GivesEachItsOwnDeviceAndRefusesTheThirdWithNames) {
    hub.options.gpu.privacy = "open";
    open();
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(hub.begin(kBob));
    EXPECT_TRUE(*hub.wait_started(kAnn));
    EXPECT_TRUE(*hub.wait_started(kBob));
    EXPECT_NE(hub.servers->find(kAnn)->devices, hub.servers->find(kBob)->devices);
    const auto refused = hub.begin(kEve, json::object{{"wait", false}});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(gpu::DeviceErrc::none_free)) << refused.error().message;
    EXPECT_NE(refused.error().message.find("ann"), std::string::npos) << refused.error().message;

    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kAnn), kAnn)));
    EXPECT_TRUE(hub.wait_gone(kAnn));
    ASSERT_TRUE(hub.begin(kEve));
    EXPECT_TRUE(*hub.wait_started(kEve));
    EXPECT_EQ(live_leases(), 2U);
}

TEST_F(StartServerTest, NothingIsGrantedWhileTheBackendCannotBeLookedAt) {
    open();
    hub.start->close("The container engine does not answer.");
    const auto later = hub.begin(kAnn);
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().message, "The container engine does not answer.");
    EXPECT_TRUE(hub.leases->all().empty());
    hub.start->open();
    EXPECT_TRUE(hub.begin(kAnn));
}

TEST_F(StartServerTest, TwoStartsAtOnceAreOne) {
    const auto spawner = open();
    StartRequest request;
    Result<void> first = Error{HubErrc::closed, ""};
    Result<void> second = Error{HubErrc::closed, ""};
    hub.scope.spawn("first", OnStop::cancel, [](TestHub& h, Result<void>& out) -> awaitable<> {
        out = co_await h.start->begin(h.permit(kAnn), kAnn, {});
    }(hub, first));
    hub.scope.spawn("second", OnStop::cancel, [](TestHub& h, Result<void>& out) -> awaitable<> {
        out = co_await h.start->begin(h.permit(kAnn), kAnn, {});
    }(hub, second));
    hub.settle(300ms);
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
    EXPECT_EQ(spawner->started().size(), 1U);
    EXPECT_EQ(live_leases(), 1U);
}

TEST_F(StartServerTest, AFailedStartLeavesNothingAndSaysWhy) {
    const auto spawner = open<CrashingSpawner>();
    ASSERT_TRUE(hub.begin(kAnn));
    const auto outcome = hub.wait_started(kAnn);
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(spawn::SpawnErrc::exited_early));
    EXPECT_TRUE(hub.wait_gone(kAnn));
    EXPECT_EQ(live_leases(), 0U);
    EXPECT_EQ(spawner->running(), 0U);
    EXPECT_EQ(hub.servers->find(kAnn)->row.lifecycle, Lifecycle::failed);
}

TEST_F(StartServerTest, AServerThatNeverAnswersIsEndedAtItsDeadline) {
    hub.options.spawn.http_timeout = 1s;
    const auto spawner = std::make_shared<LyingSpawner>(hub.io.get_executor());
    open_with(spawner);
    spawner->url = "http://127.0.0.1:9";
    ASSERT_TRUE(hub.begin(kAnn));
    const auto outcome = hub.wait_started(kAnn);
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(HubErrc::not_ready_in_time)) << outcome.error().message;
    EXPECT_TRUE(hub.wait_gone(kAnn));
    EXPECT_EQ(spawner->running(), 0U);
    EXPECT_EQ(live_leases(), 0U);
}

// Stops the start after more and more of it has happened, until one gets through.
TEST_F(StartServerTest, CancelledAnywhereItGivesTheDeviceBackOnce) {
    const auto spawner = std::make_shared<SlowSpawner>(hub.io.get_executor(), 3ms);
    open_with(spawner);
    for (int handlers = 0; handlers < 120; ++handlers) {
        SCOPED_TRACE(handlers);
        ASSERT_TRUE(hub.begin(kAnn));
        for (int i = 0; i < handlers; ++i)
            hub.io.run_one_for(2ms);
        ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kAnn), kAnn)));
        ASSERT_TRUE(hub.wait_gone(kAnn));
        ASSERT_EQ(live_leases(), 0U);
        ASSERT_EQ(leases_on("GPU-a") + leases_on("GPU-b"), 0U);
        ASSERT_EQ(spawner->running(), 0U);
    }
}

// As kill -9 at the same places: the next hub reads the rows, asks the backend, and either adopts or clears
// away.
TEST_F(StartServerTest, KilledAnywhereTheNextHubPutsItRight) {
    for (int handlers = 0; handlers < 60; handlers += 3) {
        SCOPED_TRACE(handlers);
        const auto folder = hub.dir + "/" + std::to_string(handlers);
        auto backend = std::make_shared<std::optional<TestHub>>();
        auto before = std::make_unique<TestHub>(hub.options, folder);
        auto spawner = std::make_shared<MemorySpawner>(before->io.get_executor());
        before->open(spawner);
        spawner->url = before->notebook_url();
        before->add_user("ann");
        ASSERT_TRUE(before->begin(kAnn));
        for (int i = 0; i < handlers; ++i)
            before->io.run_one_for(2ms);
        before->close();
        const auto found = spawner->running();

        TestHub after(hub.options, folder);
        auto next = std::make_shared<MemorySpawner>(after.io.get_executor());
        after.open(next);
        next->url = after.notebook_url();
        for (const auto& plan : spawner->started()) {
            if (found > 0) (void)after.run(next->start(plan, [](int, std::string) {}, Deadline::in(1s)));
        }
        ASSERT_TRUE(after.run(after.reconcile->once()));
        for (int i = 0; i < 200 && !after.servers->find(kAnn)->ready(); ++i)
            after.settle(10ms);
        const auto server = after.servers->find(kAnn);
        ASSERT_TRUE(server);
        // What ran is adopted; what was promised and did not run yet is started now.
        EXPECT_TRUE(server->ready()) << store::name_of(server->row.lifecycle) << server->row.failure;
        EXPECT_EQ(next->running(), 1U);
        EXPECT_EQ(after.leases->all().size(), next->running());
        after.close();
    }
}

TEST_F(StartServerTest, AContainerWithoutARowIsRemoved) {
    const auto spawner = open();
    spawn::StartPlan stray;
    stray.instance = "test";
    stray.key = kEve;
    stray.server = static_cast<ServerId>(999);
    stray.generation = 1;
    (void)hub.run(spawner->start(stray, [](int, std::string) {}, Deadline::in(1s)));
    ASSERT_EQ(spawner->running(), 1U);
    ASSERT_TRUE(hub.run(hub.reconcile->once()));
    hub.settle(20ms);
    EXPECT_EQ(spawner->running(), 0U);
}

TEST_F(StartServerTest, ABackendThatIsDownLosesNothing) {
    const auto spawner = open();
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    spawner->set_reachable(false);
    EXPECT_FALSE(hub.run(hub.reconcile->once()));
    EXPECT_TRUE(hub.servers->find(kAnn)->ready());
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kAnn), kAnn)));
    hub.settle(50ms);
    EXPECT_EQ(live_leases(), 1U) << "the device must not go back while its user may be there";
    spawner->set_reachable(true);
    EXPECT_TRUE(hub.wait_gone(kAnn));
    EXPECT_EQ(live_leases(), 0U);
}

TEST_F(StartServerTest, AStopThatHangsSaysWhyUntilItIsDone) {
    const auto spawner = open();
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    spawner->set_removable(false);
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kAnn), kAnn)));
    hub.settle(50ms);
    const auto server = hub.servers->find(kAnn);
    EXPECT_EQ(server->row.lifecycle, Lifecycle::stopping);
    for (const auto* part : {"It did not go in time.", "files are safe", "GPUs stay yours", "administrator"})
        EXPECT_NE(server->stop_delayed.find(part), std::string::npos) << server->stop_delayed;
    const auto refused = hub.begin(kAnn);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("It did not go in time."), std::string::npos);
    spawner->set_removable(true);
    ASSERT_TRUE(hub.wait_gone(kAnn));
    EXPECT_EQ(server->stop_delayed, "");
    EXPECT_TRUE(hub.begin(kAnn));
}

TEST_F(StartServerTest, AnEndNobodyAskedForIsSeen) {
    const auto spawner = open();
    hub.scope.spawn("watch", OnStop::cancel, hub.reconcile->watch());
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    spawner->kill(hub.servers->find(kAnn)->row.id);
    EXPECT_TRUE(hub.wait_gone(kAnn));
    EXPECT_EQ(live_leases(), 0U);
    const auto& told = hub.servers->find(kAnn)->row.stopped_because;
    EXPECT_NE(told.find("memory"), std::string::npos) << "its double ends with 137: " << told;
}

}  // namespace
}  // namespace berth::hub
