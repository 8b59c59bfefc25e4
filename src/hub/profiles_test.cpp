#include "hub/profiles.hpp"

#include <gtest/gtest.h>

namespace berth::hub {
namespace {

config::Options lab() {
    config::Options options;
    config::Profile small;
    small.name = "small";
    config::Profile big;
    big.name = "big";
    big.image = "cuda:12";
    big.gpus = 1;
    big.max_gpus = 2;
    big.groups = {"ml"};
    options.profiles = {small, big};
    return options;
}

Result<ResolvedStart> resolve(
    const config::Options& options, std::vector<std::string> groups, const char* user_options) {
    const Person ann{UserName("ann"), std::move(groups)};
    return resolve_start(options, profiles_in_force(options, 2), ann, json::parse(user_options));
}

TEST(Profiles, TheFirstThatOneMayUseIsTheDefault) {
    EXPECT_EQ(resolve(lab(), {}, "null")->profile.name, "small");
    EXPECT_EQ(resolve(lab(), {}, "{}")->profile.name, "small");
}

TEST(Profiles, GroupsAreHeldOnTheServer) {
    const auto refused = resolve(lab(), {"other"}, R"({"profile":"big"})");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(HubErrc::profile_not_allowed));
    EXPECT_EQ(resolve(lab(), {"ml"}, R"({"profile":"big"})")->gpus, 1U);
    EXPECT_EQ(resolve(lab(), {"ml"}, R"({"profile":["big"],"gpus":["2"]})")->gpus, 2U);
}

TEST(Profiles, WhatAFormSuggestsIsNotBelieved) {
    EXPECT_TRUE(resolve(lab(), {"ml"}, R"({"profile":"big","gpus":3})").error().is(HubErrc::too_many_gpus));
    EXPECT_TRUE(
        resolve(lab(), {"ml"}, R"({"profile":"big","gpus":-1})").error().is(HubErrc::options_invalid));
    EXPECT_TRUE(resolve(lab(), {"ml"}, R"({"profile":7})").error().is(HubErrc::options_invalid));
    EXPECT_TRUE(resolve(lab(), {}, R"({"profile":"huge"})").error().is(HubErrc::no_such_profile));
    EXPECT_TRUE(resolve(lab(), {}, R"({"image":"cuda:12"})").error().is(HubErrc::image_not_allowed));
    EXPECT_EQ(resolve(lab(), {"ml"}, R"({"image":"cuda:12"})")->profile.name, "big");
}

TEST(Profiles, AProjectIsForWhomItNames) {
    auto options = lab();
    options.gpu.projects = {{"thesis", {"ann"}, {}}, {"course", {"bob"}, {"ml"}}, {"closed", {}, {}}};
    EXPECT_EQ(resolve(options, {}, "{}")->project, "") << "nobody has to name one";
    EXPECT_EQ(resolve(options, {}, R"({"project":""})")->project, "");
    EXPECT_EQ(resolve(options, {}, R"({"project":["thesis"]})")->project, "thesis");
    EXPECT_EQ(resolve(options, {"ml"}, R"({"project":"course"})")->project, "course");
    EXPECT_TRUE(resolve(options, {}, R"({"project":7})").error().is(HubErrc::options_invalid));
    for (const auto* name : {"course", "closed", "moon"}) {
        const auto asked = std::string(R"({"project":")").append(name).append("\"}");
        const auto refused = resolve(options, {"other"}, asked.c_str());
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(HubErrc::project_not_allowed));
        EXPECT_EQ(
            refused.error().message,
            std::string("You cannot hold GPUs for a project '")
                .append(name)
                .append("'. You can name thesis, or none; an administrator can add you to one."));
    }
    options.gpu.projects.erase(options.gpu.projects.begin());
    const auto none = resolve(options, {}, R"({"project":"course"})");
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message.find("No project is open to you"), std::string::npos);
}

TEST(Profiles, WithoutAnyInTheConfigurationDevicesDecide) {
    config::Options options;
    options.gpu.devices.resize(2);
    const auto with = profiles_in_force(options, 2);
    ASSERT_EQ(with.size(), 2U);
    EXPECT_EQ(with.front().gpus, 1U);
    EXPECT_EQ(with.front().max_gpus, 2U);
    EXPECT_EQ(with.front().image, options.docker.image);
    const auto without = profiles_in_force(options, 0);
    ASSERT_EQ(without.size(), 1U);
    EXPECT_EQ(without.front().gpus, 0U);
}

TEST(Profiles, SharingFollowsTheFactorUnlessTheProfileSaysAlone) {
    auto options = lab();
    EXPECT_EQ(resolve(options, {}, "{}")->sharing, gpu::Sharing::exclusive);
    options.gpu.oversubscription = 2;
    EXPECT_EQ(resolve(options, {}, "{}")->sharing, gpu::Sharing::shared);
    options.profiles.front().gpu_exclusive = true;
    EXPECT_EQ(resolve(options, {}, "{}")->sharing, gpu::Sharing::exclusive);
}

}  // namespace
}  // namespace berth::hub
