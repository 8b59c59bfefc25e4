#include "spawn/spawner.hpp"

#include <gtest/gtest.h>

namespace berth::spawn {
namespace {

TEST(StartPlan, IsStoredWithoutItsSecrets) {
    StartPlan plan;
    plan.instance = "hub1";
    plan.key = {UserName("alice@uni"), ServerName("gpu")};
    plan.server = ServerId{7};
    plan.generation = 3;
    plan.profile.name = "gpu";
    plan.profile.image = "notebook:latest";
    plan.lease = LeaseId{11};
    plan.devices = {DeviceUuid("GPU-aaaa"), DeviceUuid("GPU-bbbb")};
    plan.environment = {{"JUPYTERHUB_API_TOKEN", "very-secret"}};
    plan.service_prefix = "/user/alice@uni/gpu/";

    const auto stored = plan.to_stored();
    EXPECT_EQ(json::serialize(stored).find("very-secret"), std::string::npos);
    const auto back = StartPlan::from_stored(stored);
    EXPECT_EQ(back.instance, plan.instance);
    EXPECT_EQ(back.key, plan.key);
    EXPECT_EQ(back.server, plan.server);
    EXPECT_EQ(back.generation, plan.generation);
    EXPECT_EQ(back.profile.name, plan.profile.name);
    EXPECT_EQ(back.profile.image, plan.profile.image);
    EXPECT_EQ(back.lease, plan.lease);
    EXPECT_EQ(back.devices, plan.devices);
    EXPECT_EQ(back.service_prefix, plan.service_prefix);
    EXPECT_EQ(back.object_name(), "berth-alice-40uni--gpu");
}

TEST(StartPlan, OfAnEmptyRowNamesNobody) {
    const auto plan = StartPlan::from_stored({});
    EXPECT_EQ(plan.server, ServerId{0});
    EXPECT_FALSE(plan.lease);
}

}  // namespace
}  // namespace berth::spawn
