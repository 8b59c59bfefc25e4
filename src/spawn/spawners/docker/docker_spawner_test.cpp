// What the contract does not ask of others, on the real engine.
#include "spawn/spawners/docker/engine_fixture_test.hpp"

namespace berth::spawn::test {
namespace {

class DockerSpawnerTest : public ContractFixture<DockerSubject> {
protected:
    void use(const std::function<void(config::DockerOptions&)>& change) {
        change(subject.options);
        subject.restart_hub();
        ASSERT_TRUE(harness.run(spawner().check(soon())));
    }
    std::string inside(const Endpoint& endpoint, const std::string& command) {
        return output_of(
            "docker exec " + std::string(endpoint.state.at("object_id").as_string()) + " " + command);
    }
    std::string inspect(const Endpoint& endpoint, const std::string& format) {
        return output_of(
            "docker inspect -f '" + format + "' " + std::string(endpoint.state.at("object_id").as_string()));
    }
    static std::string host_of(const Endpoint& endpoint) {
        return net::parse_http_url(endpoint.url)->endpoint.host;
    }
};

TEST_F(DockerSpawnerTest, ContainersCannotReachEachOtherButTheGateway) {
    const auto first = start(plan(1));
    const auto second = start(plan(2));
    ASSERT_TRUE(first) << first.error().message << first.error().detail;
    ASSERT_TRUE(second);
    ASSERT_TRUE(answers(first->url));  // from the host, as the proxy does
    EXPECT_NE(
        inside(*second, "sh -c 'nc -w 2 " + host_of(*first) + " 8888 -e /bin/busybox true; echo code $?'")
            .find("code 1"),
        std::string::npos);

    // The hub listens at the gateway.
    net::Endpoint at;
    at.host = spawner().hub_listen_address();
    auto listener = net::Listener::open(harness.io.get_executor(), at);
    ASSERT_TRUE(listener) << listener.error().message;
    const auto port = std::to_string(listener->local().port);
    const auto said =
        inside(*second, "sh -c 'nc -w 2 " + at.host + " " + port + " -e /bin/busybox true; echo code $?'");
    EXPECT_NE(said.find("code 0"), std::string::npos) << said;
}

TEST_F(DockerSpawnerTest, DevicesInsideAreThoseOfTheLeaseWhateverTheImageSays) {
    const auto leased = plan(1);
    auto without = plan(2);
    without.devices.clear();
    without.lease.reset();
    const auto first = start(leased);
    const auto second = start(without);
    ASSERT_TRUE(first) << first.error().message << first.error().detail;
    ASSERT_TRUE(second) << second.error().message << second.error().detail;
    EXPECT_NE(inside(*first, "env").find("NVIDIA_VISIBLE_DEVICES=GPU-aaaa,GPU-bbbb"), std::string::npos);
    EXPECT_NE(inside(*second, "env").find("NVIDIA_VISIBLE_DEVICES=void"), std::string::npos);
    EXPECT_TRUE(harness.run(spawner().verify(leased, first->state, soon())));
    EXPECT_TRUE(harness.run(spawner().verify(without, second->state, soon())));
    EXPECT_FALSE(harness.run(spawner().verify(leased, second->state, soon())));
    EXPECT_FALSE(harness.run(spawner().verify(without, first->state, soon())));
}

TEST_F(DockerSpawnerTest, PlainDeviceNodesAreHandedOver) {
    use([](auto& options) {
        options.gpu_mode = "devices";
        options.devices = {"/dev/full"};
    });
    auto wanted = plan(1);
    wanted.device_paths = {{"GPU-aaaa", "/dev/zero"}, {"GPU-bbbb", "/dev/random"}};
    const auto endpoint = start(wanted);
    ASSERT_TRUE(endpoint) << endpoint.error().message << endpoint.error().detail;
    EXPECT_TRUE(harness.run(spawner().verify(wanted, endpoint->state, soon())));
    EXPECT_EQ(
        inspect(*endpoint, "{{range .HostConfig.Devices}}{{.PathOnHost}} {{end}}"),
        "/dev/full /dev/zero /dev/random ");
}

// The engine's echo does not name them: only a look inside finds them.
TEST_F(DockerSpawnerTest, NodesOfOtherDevicesInsideAreFound) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may look inside";
    use([](auto& options) {
        json::object node{
            {"PathOnHost", "/dev/null"}, {"PathInContainer", "/dev/nvidia7"}, {"CgroupPermissions", "rwm"}};
        options.host_config = {{"Devices", json::array{std::move(node)}}};
    });
    auto leased = plan(1);
    leased.device_paths = {{"GPU-aaaa", "/dev/nvidia0"}, {"GPU-bbbb", "/dev/nvidia7"}};
    auto without = plan(2);
    without.devices.clear();
    without.lease.reset();
    const auto first = start(leased);
    const auto second = start(without);
    ASSERT_TRUE(first) << first.error().message << first.error().detail;
    ASSERT_TRUE(second) << second.error().message << second.error().detail;
    EXPECT_TRUE(harness.run(spawner().verify(leased, first->state, soon())));
    leased.device_paths["GPU-bbbb"] = "/dev/nvidia1";
    for (const auto& outcome :
         {harness.run(spawner().verify(leased, first->state, soon())),
          harness.run(spawner().verify(without, second->state, soon()))}) {
        ASSERT_FALSE(outcome);
        EXPECT_TRUE(outcome.error().is(SpawnErrc::devices_differ)) << outcome.error().message;
        EXPECT_NE(outcome.error().detail.find("inside: /dev/nvidia7"), std::string::npos)
            << outcome.error().detail;
    }
}

TEST_F(DockerSpawnerTest, KeptContainerMakesPlaceForTheNextStart) {
    use([](auto& options) { options.remove = false; });
    std::string before;
    for (const auto generation : {1, 2, 2}) {  // the last: once more what has ended
        const auto endpoint = start(plan(1, generation));
        ASSERT_TRUE(endpoint) << endpoint.error().message << endpoint.error().detail;
        const std::string id(endpoint->state.at("object_id").as_string());
        EXPECT_NE(id, before);
        if (!before.empty()) {
            EXPECT_NE(output_of("docker inspect " + before).find("No such"), std::string::npos);
        }
        ASSERT_TRUE(stop(plan(1, generation)));
        EXPECT_EQ(output_of("docker inspect -f '{{.State.Status}}' " + id), "exited");
        before = id;
    }
    output_of("docker rm -f " + before);
}

TEST_F(DockerSpawnerTest, StopGivesTheGraceOfTheOption) {
    subject.spawn.stop_timeout = 1s;
    subject.restart_hub();
    auto stubborn = plan(1);
    stubborn.profile.command = {"sh", "-c", "trap '' TERM; while true; do sleep 1; done"};
    ASSERT_TRUE(start(stubborn));
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_TRUE(stop(stubborn));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 8s);
}

TEST_F(DockerSpawnerTest, NetworkOnWhichContainersReachEachOtherIsRefused) {
    const auto name = "berth-test-open-" + std::to_string(::getpid());
    output_of("docker network create " + name);
    subject.options.network = name;
    subject.restart_hub();
    const auto checked = harness.run(spawner().check(soon()));
    output_of("docker network rm " + name);
    ASSERT_FALSE(checked);
    EXPECT_TRUE(checked.error().is(SpawnErrc::bad_request));
    EXPECT_NE(checked.error().message.find("docker network rm " + name), std::string::npos)
        << checked.error().message;
    EXPECT_NE(checked.error().message.find("docker.network"), std::string::npos);
}

TEST_F(DockerSpawnerTest, ContainerThatEndsAtOnceSaysItsLastLines) {
    auto broken = plan(1);
    broken.profile.command = {"sh", "-c", "echo starting; echo the disk is full >&2; exit 3"};
    auto result = start(broken);
    if (result) {  // it lived long enough to be seen running
        Status status;
        harness.run_until(
            [&] {
                status = *harness.run(spawner().poll(broken, result->state, soon()));
                return status.liveness == Liveness::gone;
            },
            10s);
        EXPECT_EQ(status.exit_code, 3);
        // Two pipes: the engine does not promise which of the two it reads first.
        EXPECT_NE(status.last_log_lines.find("starting"), std::string::npos) << status.last_log_lines;
        EXPECT_NE(status.last_log_lines.find("the disk is full"), std::string::npos) << status.last_log_lines;
        return;
    }
    EXPECT_TRUE(result.error().is(SpawnErrc::exited_early));
    EXPECT_NE(result.error().message.find("exit code 3"), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("the disk is full"), std::string::npos) << result.error().message;
}

TEST_F(DockerSpawnerTest, UnknownImageIsTheUsersNews) {
    use([](auto& options) { options.pull = false; });
    auto unknown = plan(1);
    unknown.profile.image = "berth-test-no-such-image:1";
    const auto refused = start(unknown);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(SpawnErrc::image_not_found));
    EXPECT_TRUE(refused.error().message.starts_with(
        "The image 'berth-test-no-such-image:1' is not on this machine and could not be fetched: "))
        << refused.error().message;
    EXPECT_TRUE(found().empty());
}

TEST_F(DockerSpawnerTest, ImageThatCannotBeFetchedIsTheSame) {
    auto unknown = plan(1);
    unknown.profile.image = "localhost:1/berth-test/no-such-image:1";  // nothing listens there
    const auto refused = start(unknown);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(SpawnErrc::image_not_found)) << refused.error().message;
    EXPECT_NE(refused.error().message.find("could not be fetched: "), std::string::npos)
        << refused.error().message;
}

TEST_F(DockerSpawnerTest, ProgramThatIsNotInTheImageIsNamedInTheLastLines) {
    auto broken = plan(1);
    broken.profile.command = {"/nowhere/jupyterhub-singleuser"};
    const auto result = start(broken);
    if (!result) {
        EXPECT_NE(result.error().message.find("/nowhere/"), std::string::npos) << result.error().message;
        return;
    }
    Status status;  // the init process ran and found it out
    harness.run_until(
        [&] {
            status = *harness.run(spawner().poll(broken, result->state, soon()));
            return status.liveness == Liveness::gone;
        },
        std::chrono::seconds{10});
    EXPECT_EQ(status.exit_code, 127);
    EXPECT_NE(status.last_log_lines.find("/nowhere/"), std::string::npos) << status.last_log_lines;
}

TEST_F(DockerSpawnerTest, ForeignContainerOfTheSameNameIsLeftAlone) {
    const auto mine = plan(1);
    const auto name =
        subject.options.name_template.substr(0, subject.options.name_template.find('{')) + "ann-201--gpu";
    output_of("docker create --name " + name + " " + kImage);
    const auto refused = start(mine);
    EXPECT_TRUE(stop(mine));
    EXPECT_EQ(output_of("docker inspect -f '{{.State.Status}}' " + name), "created");
    output_of("docker rm -f " + name);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("docker.name_template"), std::string::npos)
        << refused.error().message;
}

TEST_F(DockerSpawnerTest, LimitsVolumesAndLabelsArriveAtTheEngine) {
    use([](auto& options) {
        options.volumes = {{"berth-test-home-{username}", "/home/jovyan", false}, {"/tmp", "/shared", true}};
    });
    auto limited = plan(1);
    limited.profile.memory = Bytes{64 << 20};
    limited.profile.cpus = 0.5;
    const auto endpoint = start(limited);
    ASSERT_TRUE(endpoint) << endpoint.error().message << endpoint.error().detail;
    EXPECT_EQ(
        inspect(*endpoint, "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.ShmSize}}"),
        "67108864 500000000 1073741824");
    EXPECT_EQ(
        inspect(
            *endpoint,
            "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.AutoRemove}} {{.HostConfig.SecurityOpt}}"),
        "no false [no-new-privileges]");
    EXPECT_NE(inside(*endpoint, "mount").find("/home/jovyan"), std::string::npos);
    EXPECT_NE(inside(*endpoint, "sh -c 'echo x >/shared/berth-test'").find("Read-only"), std::string::npos);
    EXPECT_EQ(
        output_of("docker volume inspect -f '{{index .Labels \"berth.user\"}}' berth-test-home-ann-201"),
        "ann 1");
    ASSERT_TRUE(stop(limited));
    EXPECT_EQ(
        output_of("docker volume ls -q -f name=berth-test-home-ann-201"),
        "berth-test-home-ann-201");  // homes stay
    output_of("docker volume rm berth-test-home-ann-201");
}

TEST_F(DockerSpawnerTest, RunningOutOfMemoryIsTold) {
    auto small = plan(1);
    small.profile.memory = Bytes{8 << 20};
    small.profile.command = {
        "sh", "-c", "sleep 0.2; yes | head -c 200000000 | { read x; a=$x; while true; do a=$a$a; done; }"};
    std::optional<Status> end;
    const bool* watching = nullptr;
    bool connected = false;
    watching = &connected;
    auto on_gone = [&](ServerId, std::int64_t, const Status& status) { end = status; };
    Watcher watcher{on_gone, [](ServerId, std::int64_t, const std::string&) {}, [&] { connected = true; }};
    harness.scope.spawn("watch", OnStop::cancel, spawner().watch(small.instance, watcher));
    ASSERT_TRUE(harness.run_until([&] { return *watching; }, 5s));
    const auto started = start(small);
    if (!started) {
        EXPECT_TRUE(started.error().is(SpawnErrc::out_of_memory)) << started.error().message;
        return;
    }
    ASSERT_TRUE(harness.run_until([&] { return end.has_value(); }, 20s));
    EXPECT_TRUE(end->out_of_memory);
}

TEST_F(DockerSpawnerTest, NetworkRemovedByHandIsMadeAgainWithTheSameGateway) {
    use([](auto& options) { options.network = "berth-test-" + std::to_string(::getpid()); });
    const auto gateway = spawner().hub_listen_address();
    output_of("docker network rm " + subject.options.network);
    const auto endpoint = start(plan(1));
    EXPECT_TRUE(endpoint) << endpoint.error().message << endpoint.error().detail;
    EXPECT_EQ(spawner().hub_listen_address(), gateway);
    EXPECT_TRUE(stop(plan(1)));
    output_of("docker network rm " + subject.options.network);
}

// The engine makes a second network of one name when asked so, or when two ask at once.
std::string make_network(const std::string& name, const std::string& labels) {
    const std::string body =
        R"({"Name":")" + name +
        R"(","Driver":"bridge","Options":{"com.docker.network.bridge.enable_icc":"false"},)" +
        R"("Labels":{)" + labels + "}}";
    return output_of(
        "curl -s --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' -d '" + body +
        "' http://docker/v1.40/networks/create | sed 's/.*\"Id\":\"\\([0-9a-f]*\\)\".*/\\1/'");
}
constexpr const char* kOurLabel = R"("berth.network":"true")";

TEST_F(DockerSpawnerTest, OfTwoNetworksOfOneNameTheOlderIsKept) {
    const auto name = "berth-test-twice-" + std::to_string(::getpid());
    const auto first = make_network(name, kOurLabel);
    const auto second = make_network(name, kOurLabel);
    ASSERT_NE(output_of("docker network inspect " + name).find("ambiguous"), std::string::npos);
    use([&](auto& options) { options.network = name; });
    const auto endpoint = start(plan(1));
    EXPECT_TRUE(endpoint) << endpoint.error().message << endpoint.error().detail;
    EXPECT_EQ(output_of("docker network ls -q --no-trunc -f name=" + name), first);

    make_network(name, kOurLabel);  // while it is in use, and the hub listens at its gateway
    const auto another = start(plan(2));
    EXPECT_TRUE(another) << another.error().message << another.error().detail;
    EXPECT_EQ(output_of("docker network ls -q --no-trunc -f name=" + name), first);
    EXPECT_TRUE(stop(plan(1)));
    EXPECT_TRUE(stop(plan(2)));
    output_of("docker network rm " + first + " " + second);
}

TEST_F(DockerSpawnerTest, OnlyEmptyNetworksOfOurOwnAreRemoved) {
    const auto name = "berth-test-twice-" + std::to_string(::getpid());
    subject.options.network = name;
    const auto mine = make_network(name, kOurLabel);
    const auto theirs = make_network(name, "");
    subject.restart_hub();
    EXPECT_TRUE(harness.run(spawner().check(soon())));
    EXPECT_EQ(output_of("docker network ls -q --no-trunc -f name=" + name), theirs);

    const auto busy = make_network(name, kOurLabel);
    const auto guest = output_of("docker run -d --network none " + std::string(kImage));
    output_of("docker network disconnect none " + guest + "; docker network connect " + busy + " " + guest);
    subject.restart_hub();
    const auto refused = harness.run(spawner().check(soon()));
    EXPECT_NE(output_of("docker network ls -q --no-trunc -f name=" + name).find(theirs), std::string::npos);
    EXPECT_NE(output_of("docker network ls -q --no-trunc -f name=" + name).find(busy), std::string::npos);
    output_of("docker rm -f " + guest + "; docker network rm " + theirs + " " + busy + " " + mine);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(SpawnErrc::bad_request));
    EXPECT_NE(refused.error().message.find(busy.substr(0, 12)), std::string::npos) << refused.error().message;
}

TEST_F(DockerSpawnerTest, EngineThatDoesNotAnswerIsTheAdministratorsNews) {
    subject.options.host = "unix:///nowhere/docker.sock";
    subject.restart_hub();
    for (const auto& error :
         {harness.run(spawner().check(soon())).error(), start(plan(1)).error(), stop(plan(1)).error()}) {
        EXPECT_TRUE(error.is(SpawnErrc::backend_unreachable)) << error.message;
        EXPECT_NE(error.detail.find("/nowhere/docker.sock"), std::string::npos);
    }
    subject.options.host = "file:///x";
    subject.restart_hub();
    EXPECT_NE(harness.run(spawner().check(soon())).error().message.find("docker.host"), std::string::npos);
}

TEST_F(DockerSpawnerTest, NamesOfEveryKindStart) {
    std::string umlauts;
    for (int i = 0; i < 100; ++i)
        umlauts += "ü";
    std::int64_t server = 1;
    for (const auto& name :
         {std::string("with space"),
          std::string("has@uni"),
          std::string("秀樹"),
          std::string("$p~c|a! ch@rs"),
          umlauts}) {
        auto odd = plan(server++);
        odd.key = {UserName(name), ServerName("")};
        odd.service_prefix = service_prefix("/", odd.key);
        const auto endpoint = start(odd);
        ASSERT_TRUE(endpoint) << name << endpoint.error().message << endpoint.error().detail;
        EXPECT_EQ(found().at(0).key, odd.key);
        EXPECT_TRUE(stop(odd));
    }
}

}  // namespace
}  // namespace berth::spawn::test
