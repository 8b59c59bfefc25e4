// Starts for which no GPU is free: they wait with a place, start by themselves, and outlive the hub.
#include "hub/test_culler.hpp"
#include "store/queries.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using test::kAnn;
using test::kBob;
using test::kEve;
using test::options_with_gpus;

struct GpuQueueTest : test::ThreePeople {
    std::uint32_t position(const ServerKey& key) {
        const auto server = hub->servers->find(key);
        const auto standing = server ? hub->gpus->standing_of(server->row.id) : std::nullopt;
        return standing ? standing->estimate.position : 0;
    }
    std::size_t stored_entries() { return hub->store->load()->queue.size(); }
    std::size_t leases_of(const ServerKey& key) {
        return hub->leases->of_user(hub->directory->find(key.user)->id()).size();
    }
};

TEST_F(GpuQueueTest, TheSecondWaitsAndStartsWhenTheFirstIsGone) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_EQ(position(kBob), 1U);
    EXPECT_EQ(hub->servers->find(kBob)->pending(), "spawn");
    EXPECT_EQ(stored_entries(), 1U);
    hub->settle(30ms);
    EXPECT_EQ(spawner->running(), 1U) << "it started without a device";
    EXPECT_EQ(leases_of(kBob), 0U);
    stop(kAnn);
    EXPECT_TRUE(*hub->wait_started(kBob));
    EXPECT_EQ(position(kBob), 0U);
    EXPECT_EQ(leases_of(kBob), 1U);
    EXPECT_EQ(hub->servers->find(kBob)->devices, std::vector{DeviceUuid("GPU-a")});
    EXPECT_EQ(stored_entries(), 0U);
}

TEST_F(GpuQueueTest, WhoDoesNotWaitIsRefusedWithTheHolders) {
    options.gpu.privacy = "open";
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    const auto refused = hub->begin(kBob, json::object{{"profile", "gpu"}, {"wait", false}});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(gpu::DeviceErrc::none_free)) << refused.error().message;
    EXPECT_NE(refused.error().message.find("ann"), std::string::npos) << refused.error().message;
    EXPECT_EQ(hub->gpus->waiting(), 0U);
    EXPECT_EQ(stored_entries(), 0U);
}

TEST_F(GpuQueueTest, NobodyOvertakesWhoWaits) {
    options = options_with_gpus({"GPU-a", "GPU-b"});
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "gpu"}, {"gpus", 2}}));
    EXPECT_EQ(position(kBob), 1U);
    const auto refused = hub->begin(kEve, json::object{{"profile", "gpu"}, {"wait", false}});
    ASSERT_FALSE(refused) << "it would keep him waiting for as long as she likes";
    EXPECT_NE(refused.error().message.find("wait"), std::string::npos) << refused.error().message;
    EXPECT_EQ(position(kBob), 1U);
}

TEST_F(GpuQueueTest, CancelledWhileItWaitsItLeavesNothing) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(hub->begin(kBob));
    ASSERT_TRUE(hub->begin(kEve));
    stop(kBob);
    EXPECT_EQ(stored_entries(), 1U);
    EXPECT_EQ(position(kEve), 1U);
    ASSERT_TRUE(*hub->wait_started(kAnn));
    stop(kAnn);
    EXPECT_TRUE(*hub->wait_started(kEve));
    EXPECT_EQ(leases_of(kBob), 0U);
}

TEST_F(GpuQueueTest, TheQueueOutlivesTheHub) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    ASSERT_TRUE(hub->begin(kEve));
    ASSERT_TRUE(hub->begin(kBob));
    hub->close();
    open();
    EXPECT_EQ(position(kEve), 1U) << "before anything was taken up";
    EXPECT_EQ(position(kBob), 2U);
    ASSERT_TRUE(hub->run(hub->reconcile->once()));  // nothing of Ann's runs any more
    ASSERT_TRUE(hub->wait_gone(kAnn));
    EXPECT_TRUE(*hub->wait_started(kEve));
    EXPECT_EQ(position(kBob), 1U);
    EXPECT_EQ(stored_entries(), 1U);
    stop(kEve);
    EXPECT_TRUE(*hub->wait_started(kBob));
}

TEST_F(GpuQueueTest, ACommitThatFailsGivesThePlaceBack) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    hub->store->close();
    EXPECT_FALSE(hub->begin(kBob));
    EXPECT_EQ(hub->gpus->waiting(), 0U);
}

TEST_F(GpuQueueTest, AQuotaKeepsBackAndNamesItself) {
    options = options_with_gpus({"GPU-a", "GPU-b"});
    config::GpuQuota one_each;
    one_each.user = "*";
    one_each.gpus = 1;
    options.gpu.quotas.push_back(one_each);
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    const ServerKey second{kAnn.user, ServerName("two")};
    ASSERT_TRUE(hub->begin(second));
    const auto standing = hub->gpus->standing_of(hub->servers->find(second)->row.id);
    ASSERT_TRUE(standing);
    EXPECT_NE(standing->estimate.quota.find("quota.user"), std::string::npos) << standing->estimate.quota;
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_TRUE(*hub->wait_started(kBob)) << "somebody else's quota is not in the way";
}

TEST_F(GpuQueueTest, ACordonedDeviceIsGivenToNobodyWhoWaits) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    ASSERT_TRUE(hub->begin(kBob));
    const auto plan = hub->inventory->plan_cordon(DeviceUuid("GPU-a"), true);
    ASSERT_TRUE(plan);
    hub->inventory->apply_cordon(*plan);
    hub->leases->sync(*hub->inventory);
    stop(kAnn);
    hub->settle(50ms);
    EXPECT_EQ(position(kBob), 1U);
    const auto back = hub->inventory->plan_cordon(DeviceUuid("GPU-a"), false);
    ASSERT_TRUE(back);
    hub->inventory->apply_cordon(*back);
    hub->leases->sync(*hub->inventory);
    EXPECT_TRUE(*hub->wait_started(kBob));
}

TEST_F(GpuQueueTest, WhyNamesTheDeviceAndItsHolder) {
    open();
    ASSERT_TRUE(hub->begin(kAnn));
    const auto ask = hub->start->gpu_request(kBob, json::object{{"profile", "gpu"}});
    ASSERT_TRUE(ask);
    const auto why = hub->gpus->why(*ask);
    EXPECT_FALSE(why.starts_now);
    ASSERT_EQ(why.devices.size(), 1U);
    EXPECT_EQ(why.devices[0].exclusion, gpu::Exclusion::in_use);
    EXPECT_EQ(hub->gpus->waiting(), 0U) << "a question changes nothing";
}

// Ann's GPU is idle; only because Bob waits is she warned and stopped.
TEST_F(GpuQueueTest, AnIdleGpuGoesToWhoWaits) {
    options.gpu.queue.reclaim_idle = 1s;
    options.cull.warning = 0s;
    options.cull.grace = 0s;
    open();
    Activity activity(*hub->context);
    Culler culler(*hub->context, activity, *hub->stop, *hub->gpus);
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    hub->settle(2100ms);
    test::look(*hub, culler);
    EXPECT_TRUE(hub->servers->find(kAnn)->ready()) << "nobody waits, so nobody is stopped";
    ASSERT_TRUE(hub->begin(kBob));
    test::look(*hub, culler);
    ASSERT_TRUE(hub->wait_gone(kAnn));
    const auto ann = hub->servers->find(kAnn);
    EXPECT_NE(ann->row.stopped_because.find("waiting"), std::string::npos) << ann->row.stopped_because;
    EXPECT_TRUE(*hub->wait_started(kBob));
}

// Bob has waited for half of the hour, so half an hour unused is enough. Here an hour is six seconds.
TEST_F(GpuQueueTest, TheLongerSomebodyWaitsTheSoonerAnIdleGpuGoes) {
    options.gpu.queue.reclaim_idle = 6s;
    options.cull.warning = 0s;
    options.cull.grace = 0s;
    open();
    Activity activity(*hub->context);
    Culler culler(*hub->context, activity, *hub->stop, *hub->gpus);
    ASSERT_TRUE(hub->begin(kAnn));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    ASSERT_TRUE(hub->begin(kBob));
    test::look(*hub, culler);
    EXPECT_TRUE(hub->servers->find(kAnn)->ready()) << "not unused for long";
    hub->settle(3500ms);
    test::look(*hub, culler);
    ASSERT_TRUE(hub->wait_gone(kAnn));
    EXPECT_TRUE(*hub->wait_started(kBob));
}

config::GpuPool pool_of(std::string name, std::vector<std::string> devices, std::string policy) {
    config::GpuPool pool;
    pool.name = std::move(name);
    pool.devices = std::move(devices);
    pool.policy = std::move(policy);
    return pool;
}

config::Profile profile_of(std::string name, std::string pool) {
    config::Profile profile;
    profile.name = std::move(name);
    profile.gpus = 1;
    profile.max_gpus = 4;
    profile.gpu_pool = std::move(pool);
    return profile;
}

TEST_F(GpuQueueTest, AStartGetsDevicesOfItsPoolOnly) {
    options = options_with_gpus({"GPU-a", "GPU-b"});
    options.gpu.pools = {pool_of("big", {"GPU-a"}, "pack")};
    options.gpu.pools[0].privacy = "open";
    options.profiles = {profile_of("small", ""), profile_of("large", "big")};
    open();
    ASSERT_TRUE(hub->begin(kAnn, json::object{{"profile", "large"}}));
    ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "small"}}));
    EXPECT_EQ(hub->servers->find(kAnn)->devices, std::vector{DeviceUuid("GPU-a")});
    EXPECT_EQ(hub->servers->find(kBob)->devices, std::vector{DeviceUuid("GPU-b")});
    ASSERT_TRUE(*hub->wait_started(kBob));
    stop(kBob);
    const auto refused = hub->begin(kEve, json::object{{"profile", "large"}, {"wait", false}});
    ASSERT_FALSE(refused) << "a free device of another pool is none of this one";
    EXPECT_NE(refused.error().message.find("ann"), std::string::npos) << refused.error().message;
    ASSERT_TRUE(hub->begin(kEve, json::object{{"profile", "large"}}));
    EXPECT_EQ(position(kEve), 1U);
    hub->close();
    open();
    EXPECT_EQ(position(kEve), 1U) << "the pool outlives the hub";
    const auto ask = hub->start->gpu_request(kEve, json::object{{"profile", "large"}});
    const auto why = hub->gpus->why(*ask);
    ASSERT_EQ(why.devices.size(), 2U);
    EXPECT_EQ(why.devices[1].text, "is of the default pool");
}

TEST_F(GpuQueueTest, EachPoolHasItsPolicy) {
    options = options_with_gpus({"GPU-a", "GPU-b", "GPU-c", "GPU-d"});
    options.gpu.oversubscription = 2;
    options.gpu.policy = "round_robin";
    options.gpu.pools = {pool_of("full", {"GPU-c", "GPU-d"}, "pack")};
    options.profiles = {profile_of("one", ""), profile_of("packed", "full")};
    open();
    const ServerKey second{kAnn.user, ServerName("two")};
    ASSERT_TRUE(hub->begin(kAnn, json::object{{"profile", "packed"}}));
    ASSERT_TRUE(hub->begin(second, json::object{{"profile", "packed"}}));
    EXPECT_EQ(hub->servers->find(second)->devices, hub->servers->find(kAnn)->devices) << "it was not packed";
    ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "one"}}));
    ASSERT_TRUE(*hub->wait_started(kBob));
    stop(kBob);
    ASSERT_TRUE(hub->begin(kEve, json::object{{"profile", "one"}}));
    EXPECT_EQ(hub->servers->find(kEve)->devices, std::vector{DeviceUuid("GPU-b")}) << "it is not its turn";
}

TEST_F(GpuQueueTest, AQuotaOfAPoolCountsThatPoolOnly) {
    options = options_with_gpus({"GPU-a", "GPU-b", "GPU-c"});
    options.gpu.pools = {pool_of("big", {"GPU-a", "GPU-b"}, "pack")};
    options.profiles = {profile_of("small", ""), profile_of("large", "big")};
    config::GpuQuota quota;
    quota.user = "*";
    quota.pool = "big";
    quota.gpus = 1;
    options.gpu.quotas = {quota};
    open();
    const ServerKey second{kAnn.user, ServerName("two")}, third{kAnn.user, ServerName("three")};
    ASSERT_TRUE(hub->begin(kAnn, json::object{{"profile", "large"}}));
    ASSERT_TRUE(hub->begin(second, json::object{{"profile", "small"}}));
    EXPECT_FALSE(hub->servers->find(second)->devices.empty()) << "it is none of the pool's";
    ASSERT_TRUE(hub->begin(third, json::object{{"profile", "large"}}));
    const auto standing = hub->gpus->standing_of(hub->servers->find(third)->row.id);
    ASSERT_TRUE(standing);
    EXPECT_NE(standing->estimate.quota.find("pool[big]"), std::string::npos) << standing->estimate.quota;
}

}  // namespace
}  // namespace berth::hub
