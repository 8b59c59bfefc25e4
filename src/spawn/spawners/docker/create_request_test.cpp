#include "spawn/spawners/docker/create_request.hpp"

#include "spawn/environment.hpp"
#include "spawn/spawners/docker/containers.hpp"
#include "spawn/spawners/docker/engine.hpp"
#include "spawn/spawners/docker/images.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace berth::spawn::docker {
namespace {

StartPlan plan_of(std::vector<DeviceUuid> devices) {
    StartPlan plan;
    plan.instance = "hub1";
    plan.key = {UserName("alice@uni"), ServerName("gpu")};
    plan.server = ServerId{7};
    plan.generation = 3;
    plan.profile.image = "notebook:latest";
    plan.devices = std::move(devices);
    if (!plan.devices.empty()) plan.lease = LeaseId{11};
    plan.service_prefix = service_prefix("/", plan.key);
    plan.environment = {{"JUPYTERHUB_USER", "alice@uni"}, {"NVIDIA_VISIBLE_DEVICES", "all"}};
    return plan;
}
const std::vector<DeviceUuid> kTwo = {DeviceUuid("GPU-aaaa"), DeviceUuid("GPU-bbbb")};

// Compares with spawn/testdata/<name>.json; BERTH_WRITE_GOLDEN=1 writes it.
void expect_golden(const std::string& name, const json::object& request) {
    const auto path = std::filesystem::path(__FILE__).parent_path() / "../../testdata" / (name + ".json");
    if (std::getenv("BERTH_WRITE_GOLDEN")) std::ofstream(path) << json::serialize(request) << "\n";
    std::ifstream file(path);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const auto want = parse_json(text.substr(0, text.find_last_not_of('\n') + 1));
    ASSERT_TRUE(want) << path;
    EXPECT_EQ(json::value(request), *want) << json::serialize(request);
}

TEST(CreateRequest, IsAsTheGoldenFilesSay) {
    config::DockerOptions options;
    expect_golden("docker_without_gpu", *create_request(plan_of({}), options, GpuMode::device_requests));
    expect_golden(
        "docker_device_requests", *create_request(plan_of(kTwo), options, GpuMode::device_requests));
    expect_golden("docker_runtime", *create_request(plan_of(kTwo), options, GpuMode::runtime));
    auto with_paths = plan_of(kTwo);
    with_paths.device_paths = {{"GPU-aaaa", "/dev/nvidia0"}, {"GPU-bbbb", "/dev/nvidia3"}};
    expect_golden("docker_devices", *create_request(with_paths, options, GpuMode::devices));

    auto full = plan_of(kTwo);
    full.profile.cpus = 2.5;
    full.profile.memory = Bytes{8ULL << 30};
    full.profile.shm_size = Bytes{2ULL << 30};
    full.profile.command = {"start-notebook.py", "--debug"};
    full.profile.volumes = {{"/data/{username}", "/data", false}, {"models", "/models", true}};
    full.profile.docker_create = {{"User", "1000"}, {"HostConfig", json::object{{"Init", nullptr}}}};
    options.host_config = {{"SecurityOpt", json::array{}}, {"PidsLimit", 4096}};
    options.create = {{"Env", json::array{"HTTP_PROXY=http://proxy:3128"}}};
    expect_golden("docker_everything", *create_request(full, options, GpuMode::device_requests));
}

TEST(CreateRequest, MergedJsonChangesNeitherLabelsNorDevicesNorLifeCycle) {
    config::DockerOptions options;
    options.create =
        *parse_json(R"({"Labels": {"berth.instance": "other", "team": "x"}, "Image": "evil", "name": "x",
        "Env": ["NVIDIA_VISIBLE_DEVICES=all", "DOCKER_RESOURCE_GPU=all", "A=b"]})")
             ->if_object();
    options.host_config =
        *parse_json(R"({"AutoRemove": true, "RestartPolicy": {"Name": "always"}, "Runtime": "nvidia",
        "PublishAllPorts": true, "PortBindings": {"8888/tcp": [{"HostPort": "80"}]},
        "DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}],
        "Devices": [{"PathOnHost": "/dev/nvidia5"}, {"PathOnHost": "/dev/fuse"}]})")
             ->if_object();
    auto plan = plan_of({});
    plan.profile.docker_create = {{"Labels", nullptr}};
    const auto request = create_request(plan, options, GpuMode::device_requests);
    ASSERT_TRUE(request);
    const auto& labels = request->at("Labels").as_object();
    EXPECT_EQ(labels.at("berth.instance"), "hub1");
    EXPECT_EQ(labels.at("berth.server"), "7");
    EXPECT_EQ(request->at("Image"), "notebook:latest");
    EXPECT_FALSE(request->contains("name"));
    const auto& host = request->at("HostConfig").as_object();
    EXPECT_EQ(host.at("AutoRemove"), false);
    EXPECT_EQ(host.at("RestartPolicy").at("Name"), "no");
    EXPECT_EQ(host.at("PublishAllPorts"), false);
    EXPECT_FALSE(host.contains("PortBindings"));
    EXPECT_FALSE(host.contains("DeviceRequests"));
    EXPECT_FALSE(host.contains("Runtime"));
    ASSERT_EQ(host.at("Devices").as_array().size(), 1U);
    EXPECT_EQ(host.at("Devices").at(0).at("PathOnHost"), "/dev/fuse");
    const auto environment = json::serialize(request->at("Env"));
    EXPECT_NE(environment.find("NVIDIA_VISIBLE_DEVICES=void"), std::string::npos);
    EXPECT_EQ(environment.find("=all"), std::string::npos);
    EXPECT_NE(environment.find("A=b"), std::string::npos);
}

TEST(CreateRequest, RefusesDevicesWithoutTheirNodes) {
    const auto refused = create_request(plan_of(kTwo), {}, GpuMode::devices);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("gpu.devices[].path"), std::string::npos);
}

TEST(MergePatch, IsThatOfRfc7396) {
    struct Case {
        const char *target, *patch, *want;
    };
    for (const auto& each :
         {Case{R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
          Case{R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
          Case{R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
          Case{R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
          Case{R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
          Case{R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
          Case{R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
          Case{R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}}) {
        auto target = json::parse(each.target).as_object();
        merge_patch(target, json::parse(each.patch).as_object());
        EXPECT_EQ(json::value(target), json::parse(each.want)) << each.target << each.patch;
    }
}

TEST(LogText, IsTakenOutOfItsFrames) {
    const auto frame = [](char stream, std::size_t length, const std::string& text) {
        return std::string{stream, 0, 0, 0, 0, 0, 0, static_cast<char>(length)} + text;
    };
    EXPECT_EQ(log_text(frame(1, 4, "out\n") + frame(2, 4, "err\n")), "out\nerr\n");
    EXPECT_EQ(log_text(frame(1, 16, "torn")), "torn");
    EXPECT_EQ(log_text("plain text of a terminal\n"), "plain text of a terminal\n");
    EXPECT_EQ(log_text(""), "");
}

TEST(Lines, ComeWholeWhateverThePieces) {
    const std::string text = "{\"a\":1}\n{\"b\":2}\n{\"c\"";
    for (std::size_t size : {1U, 2U, 3U, 7U, 64U}) {
        Lines lines;
        std::vector<std::string> all;
        for (std::size_t i = 0; i < text.size(); i += size) {
            lines.add(std::string_view(text).substr(i, size));
            while (auto line = lines.next())
                all.push_back(*line);
        }
        EXPECT_EQ(all, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"})) << size;
    }
}

TEST(ImageReference, HasAlwaysATag) {
    const auto is = [](std::string_view image, std::string_view name, std::string_view tag) {
        const auto reference = parse_image(image);
        EXPECT_EQ(reference.name, name) << image;
        EXPECT_EQ(reference.tag, tag) << image;
    };
    is("notebook", "notebook", "latest");
    is("notebook:1", "notebook", "1");
    is("host:5000/team/notebook", "host:5000/team/notebook", "latest");
    is("host:5000/team/notebook:2", "host:5000/team/notebook", "2");
    is("notebook@sha256:abc", "notebook", "sha256:abc");
}

TEST(PullProgress, AddsUpTheLayers) {
    PullProgress pull("notebook:1");
    EXPECT_EQ(pull.percent(), 5);
    pull.take(
        json::parse(
            R"({"status":"Downloading","id":"a","progressDetail":{"current":52428800,"total":104857600}})")
            .as_object());
    EXPECT_EQ(pull.percent(), 25);
    EXPECT_EQ(pull.sentence(), "Fetching the image notebook:1: 50 MiB of 100 MiB");
    pull.take(json::parse(R"({"status":"Download complete","id":"a"})").as_object());
    EXPECT_EQ(pull.percent(), 45);
    pull.take(json::parse(R"({"error":"no space left on device"})").as_object());
    EXPECT_EQ(pull.error(), "no space left on device");
}

TEST(ParseHost, KnowsSocketsAndAddresses) {
    EXPECT_EQ(parse_host("unix:///run/docker.sock")->path, "/run/docker.sock");
    EXPECT_EQ(parse_host("tcp://10.0.0.1:2375")->port, 2375);
    for (const auto* bad :
         {"", "unix://", "unix://docker.sock", "tcp://host", "file:///x", "/run/docker.sock"}) {
        EXPECT_FALSE(parse_host(bad)) << bad;
    }
}

TEST(ParseVersion, ComparesByNumber) {
    EXPECT_LT(*parse_version("1.9"), *parse_version("1.41"));
    EXPECT_FALSE(parse_version("1"));
    EXPECT_FALSE(parse_version("1.x"));
}

}  // namespace
}  // namespace berth::spawn::docker
