#include "spawn/environment.hpp"

#include "base/json.hpp"

#include <gtest/gtest.h>

namespace berth::spawn {
namespace {

EnvironmentInputs inputs_for(std::string user, std::string server = "") {
    EnvironmentInputs inputs;
    inputs.key = {UserName(std::move(user)), ServerName(std::move(server))};
    inputs.api_token = Secret("6f0c");
    inputs.api_url = "http://172.20.0.1:8081/hub/api";
    inputs.default_url = "/lab";
    return inputs;
}

TEST(Environment, IsThatOfHubProtocol) {
    // The worked example of hub-protocol §1.1.
    auto inputs = inputs_for("alice@uni");
    inputs.memory = Bytes{8589934592};
    inputs.cpus = 4;
    const Environment want{
        {"JUPYTERHUB_API_TOKEN", "6f0c"},
        {"JPY_API_TOKEN", "6f0c"},
        {"JUPYTERHUB_CLIENT_ID", "jupyterhub-user-alice%40uni"},
        {"JUPYTERHUB_USER", "alice@uni"},
        {"JUPYTERHUB_SERVER_NAME", ""},
        {"JUPYTERHUB_API_URL", "http://172.20.0.1:8081/hub/api"},
        {"JUPYTERHUB_ACTIVITY_URL", "http://172.20.0.1:8081/hub/api/users/alice@uni/activity"},
        {"JUPYTERHUB_BASE_URL", "/"},
        {"JUPYTERHUB_SERVICE_PREFIX", "/user/alice@uni/"},
        {"JUPYTERHUB_SERVICE_URL", "http://0.0.0.0:8888/user/alice@uni/"},
        {"JUPYTERHUB_OAUTH_CALLBACK_URL", "/user/alice@uni/oauth_callback"},
        {"JUPYTERHUB_OAUTH_SCOPES",
         R"(["access:servers!server=alice@uni/","access:servers!user=alice@uni"])"},
        {"JUPYTERHUB_OAUTH_ACCESS_SCOPES",
         R"(["access:servers!server=alice@uni/","access:servers!user=alice@uni"])"},
        {"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", "[]"},
        {"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "0"},
        {"JUPYTERHUB_HOST", ""},
        {"JUPYTERHUB_PUBLIC_URL", ""},
        {"JUPYTERHUB_PUBLIC_HUB_URL", ""},
        {"JUPYTERHUB_DEFAULT_URL", "/lab"},
        {"MEM_LIMIT", "8589934592"},
        {"CPU_LIMIT", "4.0"},
    };
    EXPECT_EQ(make_environment(inputs), want);
}

TEST(Environment, EscapesEachPlaceInItsOwnWay) {
    auto inputs = inputs_for("$p~c|a! ch@rs", "gpu");
    inputs.base_path = "/jhub/";
    inputs.public_origin = "https://hub.example.org";
    const auto environment = make_environment(inputs);
    EXPECT_EQ(environment.at("JUPYTERHUB_SERVICE_PREFIX"), "/jhub/user/%24p~c%7Ca%21%20ch@rs/gpu/");
    EXPECT_EQ(
        environment.at("JUPYTERHUB_OAUTH_CALLBACK_URL"),
        "/jhub/user/%24p~c%7Ca%21%20ch@rs/gpu/oauth_callback");
    EXPECT_EQ(environment.at("JUPYTERHUB_CLIENT_ID"), "jupyterhub-user-%24p~c%7Ca%21%20ch%40rs-gpu");
    EXPECT_EQ(environment.at("JUPYTERHUB_USER"), "$p~c|a! ch@rs");
    EXPECT_EQ(environment.at("JUPYTERHUB_SERVER_NAME"), "gpu");
    EXPECT_EQ(
        environment.at("JUPYTERHUB_ACTIVITY_URL"),
        "http://172.20.0.1:8081/hub/api/users/%24p~c%7Ca%21%20ch@rs/activity");
    EXPECT_EQ(environment.at("JUPYTERHUB_HOST"), "https://hub.example.org");
    EXPECT_EQ(
        environment.at("JUPYTERHUB_PUBLIC_URL"),
        "https://hub.example.org/jhub/user/%24p~c%7Ca%21%20ch@rs/gpu/");
    EXPECT_EQ(environment.at("JUPYTERHUB_PUBLIC_HUB_URL"), "https://hub.example.org/jhub/hub/");
    const auto scopes = parse_json(environment.at("JUPYTERHUB_OAUTH_SCOPES"));
    ASSERT_TRUE(scopes);
    EXPECT_EQ(scopes->at(0).as_string(), "access:servers!server=$p~c|a! ch@rs/gpu");
    EXPECT_EQ(scopes->at(1).as_string(), "access:servers!user=$p~c|a! ch@rs");
}

TEST(Environment, OfTheProfileComesLast) {
    auto inputs = inputs_for("ann");
    inputs.common = {{"A", "common"}, {"B", "common"}, {"JUPYTERHUB_DEFAULT_URL", "/tree"}};
    inputs.profile = {{"B", "profile"}};
    const auto environment = make_environment(inputs);
    EXPECT_EQ(environment.at("A"), "common");
    EXPECT_EQ(environment.at("B"), "profile");
    EXPECT_EQ(environment.at("JUPYTERHUB_DEFAULT_URL"), "/tree");
}

TEST(OAuthClientId, DiffersForNamesThatOnlyLookTheSame) {
    const ServerKey named{UserName("ann"), ServerName("b")};
    const ServerKey other{UserName("ann-b"), ServerName("")};
    EXPECT_NE(oauth_client_id(named), oauth_client_id(other));
    EXPECT_EQ(oauth_client_id(named), "jupyterhub-user-ann-b");
}

TEST(DropDeviceVariables, LeavesTheChoiceToTheLease) {
    Environment environment{
        {"NVIDIA_VISIBLE_DEVICES", "all"},
        {"CUDA_VISIBLE_DEVICES", "0"},
        {"DOCKER_RESOURCE_NVIDIA-GPU", "GPU-x"},
        {"NVIDIA_DRIVER_CAPABILITIES", "all"},
        {"PATH", "/bin"}};
    drop_device_variables(environment);
    EXPECT_EQ(environment, (Environment{{"NVIDIA_DRIVER_CAPABILITIES", "all"}, {"PATH", "/bin"}}));
}

}  // namespace
}  // namespace berth::spawn
