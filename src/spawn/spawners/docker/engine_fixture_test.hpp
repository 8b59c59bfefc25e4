// For tests on the real engine: a tiny image made of busybox-static, and a plan for it. Needs root or the
// docker group.
#pragma once

#include "spawn/environment.hpp"
#include "spawn/spawner_contract_test.hpp"
#include "spawn/spawners/docker/docker_spawner.hpp"
#include "spawn/spawners/docker/engine.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace berth::spawn::test {

inline constexpr const char* kImage = "berth-test-busybox:1";

// What a shell command wrote; for the set-up of tests only.
inline std::string output_of(const std::string& command) {
    std::string text;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (!pipe) return text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
        text += static_cast<char>(c);
    ::pclose(pipe);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

// Why the engine cannot be used here; "" when it can. With BERTH_REQUIRE_ENGINE set it is always "": then
// tests fail.
inline std::string engine_unavailable() {
    static const std::string reason = [] {
        if (std::getenv("BERTH_REQUIRE_ENGINE")) return std::string();
        if (std::system("docker info >/dev/null 2>&1") != 0)
            return std::string("no Docker Engine answers; tests/engine.sh starts one");
        if (!std::filesystem::exists("/bin/busybox"))
            return std::string("/bin/busybox is missing; apt-get install busybox-static");
        return std::string();
    }();
    return reason;
}

inline void make_image() {
    static const bool made = [] {
        const std::string script =
            "set -e; docker image inspect " + std::string(kImage) +
            " >/dev/null 2>&1 && exit 0; d=$(mktemp -d); mkdir -p $d/bin $d/tmp $d/www; cp /bin/busybox "
            "$d/bin/; "
            "for a in sh httpd sleep nc cat env echo mount yes head; do ln -s busybox $d/bin/$a; done; echo "
            "hello >$d/www/index.html; "
            "tar -C $d -c . | docker import -c 'CMD [\"httpd\",\"-f\",\"-p\",\"8888\",\"-h\",\"/www\"]' "
            "-c 'ENV NVIDIA_VISIBLE_DEVICES=all PATH=/bin' - " +
            kImage + "; rm -r $d";
        return std::system(script.c_str()) == 0;
    }();
    (void)made;
}

class DockerSubject {
public:
    static constexpr bool kStarts = true;
    static constexpr bool kAnswers = true;

    explicit DockerSubject(Harness& harness) : harness_(harness) {
        options.image = kImage;
        options.network = "berth-test";
        options.volumes.clear();
        options.name_template = "berth-test-" + std::to_string(::getpid()) + "-{username}--{servername}";
        if (unavailable().empty()) make_image();
        restart_hub();
    }
    std::string unavailable() { return engine_unavailable(); }
    Spawner& spawner() { return *spawner_; }
    void restart_hub() { spawner_ = make_docker_spawner(pool_, options, spawn); }
    StartPlan plan(std::int64_t server, std::int64_t generation) {
        StartPlan plan;
        plan.instance = "test-" + std::to_string(::getpid());
        plan.key = {UserName("ann " + std::to_string(server)), ServerName("gpu")};
        plan.server = ServerId{server};
        plan.generation = generation;
        plan.profile.image = kImage;
        plan.lease = LeaseId{server + 100};
        plan.devices = {DeviceUuid("GPU-aaaa"), DeviceUuid("GPU-bbbb")};
        plan.service_prefix = service_prefix("/", plan.key);
        plan.environment = {{"JUPYTERHUB_API_TOKEN", "secret"}};
        return plan;
    }
    void kill(const StartPlan&, const Endpoint& endpoint) {
        output_of("docker kill " + std::string(endpoint.state.at("object_id").as_string()));
    }

    config::DockerOptions options;
    config::SpawnOptions spawn;

private:
    Harness& harness_;
    BlockingPool pool_{1, 16};
    std::unique_ptr<Spawner> spawner_;
};

}  // namespace berth::spawn::test
