#include "spawn/spawners/docker/engine_fixture_test.hpp"

namespace berth::spawn::test {
namespace {

// docker.remove is off: what has ended stays, until its name is needed.
class KeepingDockerSubject : public DockerSubject {
public:
    explicit KeepingDockerSubject(Harness& harness) : DockerSubject(harness) {
        options.remove = false;
        restart_hub();
    }
    ~KeepingDockerSubject() {
        if (unavailable().empty())
            output_of(
                "docker ps -aq --filter name=berth-test-" + std::to_string(::getpid()) +
                "- | xargs -r docker rm -f");
    }
};

using Docker = testing::Types<DockerSubject, KeepingDockerSubject>;
INSTANTIATE_TYPED_TEST_SUITE_P(Docker, SpawnerContract, Docker);
INSTANTIATE_TYPED_TEST_SUITE_P(Docker, StartingSpawnerContract, Docker);

}  // namespace
}  // namespace berth::spawn::test
