// Projects as the API knows them: who may name which, and GPU-hours by project.
#include "api/test_api.hpp"

namespace berth::api {
namespace {

using http::Method;
using test::body_of;
using test::TestApi;

struct ProjectsApi : testing::Test {
    static config::Options options() {
        auto options = test::dummy_options();
        options.gpu.projects = {{"thesis", {"bob"}, {"ml"}}, {"course", {"bob"}, {}}};
        config::GpuQuota quota;
        quota.project = "*";
        quota.gpus = 1;
        options.gpu.quotas = {quota};
        return options;
    }
    ProjectsApi() { hub.open_all(); }
    http::Response start(const std::string& user, const std::string& options) {
        return hub.with_token(
            hub.token_of(user), Method::post, "/hub/api/users/" + user + "/server", options);
    }
    void started(const std::string& user, const std::string& options) {
        const auto answer = start(user, options);
        ASSERT_LT(answer.status, 300U) << answer.body;
        ASSERT_TRUE(*hub.wait_started(ServerKey{UserName(user), ServerName("")}));
    }
    json::value get(const std::string& user, const std::string& path) {
        return body_of(hub.with_token(hub.token_of(user), Method::get, "/hub/api/berth/" + path));
    }
    std::string text_of_usage(const std::string& query) {
        return hub.with_token(hub.admin_token(), Method::get, "/hub/api/berth/gpu/usage?" + query).body;
    }
    json::array usage_by(const std::string& key) {
        return body_of_text(text_of_usage("by=" + key)).at("rows").as_array();
    }
    // Of GPU-b, by a lease that is over.
    void used_an_hour(const std::string& user, const std::string& profile, const std::string& project) {
        const ServerKey key{UserName(user), ServerName("")};
        store::LeaseRow lease;
        lease.id = hub.ids->next<LeaseId>();
        lease.user = hub.directory->find(key.user)->id();
        lease.server = hub.servers->find(key)->row.id;
        lease.state = store::LeaseState::released;
        lease.profile = profile;
        lease.project = project;
        store::UsageIntervalRow used;
        used.id = number_of(hub.ids->next<LeaseId>());
        used.lease = lease.id;
        used.device = DeviceUuid("GPU-b");
        used.user = lease.user;
        used.begin = now_utc() - std::chrono::hours(2);
        used.end = used.begin + std::chrono::hours(1);
        ASSERT_TRUE(hub.run(hub.store->commit([lease, used](store::Transaction& t) {
            store::insert(t, lease);
            store::insert(t, used);
        })));
    }
    static json::value body_of_text(const std::string& text) { return parse_json(text).value_or(nullptr); }

    TestApi hub{options()};
};

TEST_F(ProjectsApi, ARefusalSaysWhichOnesOneMayName) {
    for (const auto* name : {"course", "moon"}) {
        const auto answer = start("ann", std::string(R"({"profile":"gpu","project":")").append(name) + "\"}");
        EXPECT_EQ(answer.status, 403U) << answer.body;
        EXPECT_NE(answer.body.find("You can name thesis, or none"), std::string::npos) << answer.body;
    }
    EXPECT_EQ(start("ann", R"({"profile":"gpu","project":["a","b"]})").status, 400U);
    EXPECT_EQ(start("ann", R"({"profile":"gpu","project":"thesis"})").status, 201U);
}

TEST_F(ProjectsApi, TheFormOffersThoseOneMayName) {
    const auto ann = hub.get(hub.signed_in("ann"), "/hub/spawn");
    EXPECT_NE(ann.body.find(R"("projects":["thesis"])"), std::string::npos) << ann.body;
    const auto bob = hub.get(hub.signed_in("bob"), "/hub/spawn");
    EXPECT_NE(bob.body.find(R"("projects":["thesis","course"])"), std::string::npos) << bob.body;
    const auto root = hub.get(hub.signed_in("root"), "/hub/spawn");
    EXPECT_EQ(root.body.find("\"projects\""), std::string::npos) << "there is nothing to choose";
}

TEST_F(ProjectsApi, WhatWaitsForAProjectIsSaidWithItsRule) {
    started("ann", R"({"profile":"gpu","project":"thesis"})");
    const auto wait_of = [&](const std::string& project) {
        const auto offered = get("bob", "profiles?project=" + project);
        for (const auto& profile : offered.as_array())
            if (profile.at("name") == "gpu") return profile.at("available").at("wait");
        return json::value("no such profile");
    };
    EXPECT_TRUE(wait_of("").is_null());
    EXPECT_TRUE(wait_of("course").is_null());
    const auto held = wait_of("thesis");
    ASSERT_TRUE(held.is_object()) << json::serialize(held);
    EXPECT_TRUE(held.at("held_back_by").as_string().starts_with("quota.project.gpu=1, in use 1 (lease "));
    EXPECT_EQ(
        hub.with_token(hub.token_of("ann"), Method::get, "/hub/api/berth/profiles?project=course").status,
        403U);
    const auto board = get("ann", "gpus");
    EXPECT_EQ(board.at("devices").at(0).at("leases").at(0).at("project"), "thesis");
    EXPECT_TRUE(get("bob", "gpus").at("devices").at(0).at("leases").at(0).at("project").is_null());
}

// I10 at the door: the sums by each key are the same, over leases of a project, of none, and from before
// their rows said what they were for.
TEST_F(ProjectsApi, GpuHoursByProjectAddUp) {
    started("ann", R"({"profile":"cpu"})");
    used_an_hour("ann", "gpu", "thesis");
    used_an_hour("ann", "gpu", "");
    used_an_hour("ann", "", "");
    for (const auto* key :
         {"user", "group", "project", "model", "profile", "gpu", "week", "project,profile"}) {
        double total = 0;
        for (const auto& row : usage_by(key))
            total += row.at("gpu_hours").to_number<double>();
        EXPECT_NEAR(total, 3, 1e-6) << key;
    }
    const auto rows = usage_by("project,profile");
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].at("profile"), "cpu") << "nobody noted it: that of the server now";
    EXPECT_EQ(rows[1].at("project"), "(none)");
    EXPECT_EQ(rows[1].at("profile"), "gpu") << "not that of the server now";
    EXPECT_EQ(rows[2].at("project"), "thesis");
    EXPECT_NEAR(rows[2].at("gpu_hours").to_number<double>(), 1, 1e-6);
    const auto csv = text_of_usage("by=project&format=csv");
    EXPECT_TRUE(csv.starts_with("project,gpu_hours,")) << csv;
    EXPECT_NE(csv.find("\"thesis\",1.000000,"), std::string::npos) << csv;
    const auto metrics = text_of_usage("by=project&format=openmetrics");
    EXPECT_NE(metrics.find("berth_gpu_usage_held_hours{project=\"thesis\"} 1.000000"), std::string::npos)
        << metrics;
}

}  // namespace
}  // namespace berth::api
