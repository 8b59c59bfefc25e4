// GPUs held for a project: its quota counts them whoever holds them, and their leases keep it.
#include "hub/test_hub.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using test::kAnn;
using test::kBob;
using test::kEve;
using test::options_with_gpus;

const std::string kFull = "quota.project[thesis].gpu=1, in use 1 (lease ";

struct GpuProjects : test::ThreePeople {
    GpuProjects() {
        options = options_with_gpus({"GPU-a", "GPU-b", "GPU-c"});
        options.gpu.projects = {{"thesis", {"ann", "bob"}, {}}, {"course", {"ann"}, {}}};
        config::GpuQuota quota;
        quota.project = "thesis";
        quota.gpus = 1;
        options.gpu.quotas = {quota};
    }
    static json::value for_project(const char* name) {
        return json::object{{"profile", "gpu"}, {"project", name}};
    }
    std::string held_back_by(const ServerKey& key) {
        const auto server = hub->servers->find(key);
        const auto standing = server ? hub->gpus->standing_of(server->row.id) : std::nullopt;
        return standing ? standing->estimate.quota : "it does not wait";
    }
    std::string why(const ServerKey& key, const char* project) {
        const auto ask = hub->start->gpu_request(key, for_project(project));
        return ask ? hub->gpus->why(*ask).quota : ask.error().message;
    }
    const store::LeaseRow& lease_of(const ServerKey& key) {
        return *hub->leases->of_user(hub->directory->find(key.user)->id()).at(0);
    }
};

TEST_F(GpuProjects, WhatItsPeopleHoldForItCountsTogether) {
    open();
    ASSERT_TRUE(hub->begin(kAnn, for_project("thesis")));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    EXPECT_EQ(lease_of(kAnn).project, "thesis");
    EXPECT_EQ(lease_of(kAnn).profile, "gpu");
    ASSERT_TRUE(hub->begin(kBob, for_project("thesis")));
    EXPECT_TRUE(held_back_by(kBob).starts_with(kFull)) << held_back_by(kBob);
    EXPECT_TRUE(why(kBob, "thesis").starts_with(kFull));
    const ServerKey second{kAnn.user, ServerName("two")};
    ASSERT_TRUE(hub->begin(second, for_project("course")));
    EXPECT_TRUE(*hub->wait_started(second)) << "another project's quota is not in the way";
    ASSERT_TRUE(hub->begin(kEve));
    EXPECT_TRUE(*hub->wait_started(kEve)) << "nor anybody's who holds for none";
    stop(kAnn);
    EXPECT_TRUE(*hub->wait_started(kBob));
    EXPECT_EQ(lease_of(kBob).project, "thesis");
}

TEST_F(GpuProjects, OnlyWhoMayNamesIt) {
    open();
    const auto refused = hub->begin(kEve, for_project("thesis"));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(HubErrc::project_not_allowed)) << refused.error().message;
    EXPECT_TRUE(hub->leases->all().empty());
    const auto bobs = hub->begin(kBob, for_project("course"));
    ASSERT_FALSE(bobs);
    EXPECT_NE(bobs.error().message.find("You can name thesis"), std::string::npos) << bobs.error().message;
}

TEST_F(GpuProjects, LeaseAndPlaceKeepItOverARestart) {
    open();
    ASSERT_TRUE(hub->begin(kAnn, for_project("thesis")));
    ASSERT_TRUE(*hub->wait_started(kAnn));
    ASSERT_TRUE(hub->begin(kBob, for_project("thesis")));
    // What the server is told next time changes nothing about what it holds.
    auto row = hub->servers->find(kAnn)->row;
    row.user_options = json::object();
    row.profile = "other";
    ASSERT_TRUE(hub->run(hub->store->commit([row](store::Transaction& t) { store::update(t, row); })));
    hub->close();
    open();
    EXPECT_TRUE(held_back_by(kBob).starts_with(kFull)) << held_back_by(kBob);
    const auto& held = hub->gpus->scheduler().state().holdings;
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(held.begin()->second.asker.project, "thesis");
    EXPECT_EQ(held.begin()->second.profile, "gpu");
    ASSERT_TRUE(hub->run(hub->reconcile->once()));  // nothing of Ann's runs any more
    ASSERT_TRUE(hub->wait_gone(kAnn));
    EXPECT_TRUE(*hub->wait_started(kBob));
    EXPECT_EQ(lease_of(kBob).project, "thesis");
    hub->close();
    open();
    EXPECT_EQ(lease_of(kBob).project, "thesis") << "as its row says, which no later step forgets";
}

// The project's GPU-hours were used up by a lease that is over; the hub that comes after counts it too.
TEST_F(GpuProjects, HoursUsedForItAreCountedOverARestart) {
    options.gpu.quotas[0].gpus.reset();
    options.gpu.quotas[0].gpu_hours = 1;
    open();
    store::LeaseRow lease;
    lease.id = hub->ids->next<LeaseId>();
    lease.user = hub->directory->find(kAnn.user)->id();
    lease.state = store::LeaseState::released;
    lease.project = "thesis";
    store::UsageIntervalRow used;
    used.id = number_of(hub->ids->next<LeaseId>());
    used.lease = lease.id;
    used.device = DeviceUuid("GPU-a");
    used.user = lease.user;
    used.begin = now_utc() - 4h;
    used.end = used.begin + 3h;
    ASSERT_TRUE(hub->run(hub->store->commit([lease, used](store::Transaction& t) {
        store::insert(t, lease);
        store::insert(t, used);
    })));
    hub->close();
    open();
    EXPECT_EQ(why(kBob, "thesis"), "quota.project[thesis].gpu_hours=1 in 7 days, used 3");
    EXPECT_EQ(why(kAnn, "course"), "") << "it was not used for that";
}

}  // namespace
}  // namespace berth::hub
