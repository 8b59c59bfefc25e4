#include "spawn/spawners/docker/engine_fixture_test.hpp"

namespace berth::spawn::test {
namespace {

using Docker = testing::Types<DockerSubject>;
INSTANTIATE_TYPED_TEST_SUITE_P(Docker, SpawnerContract, Docker);
INSTANTIATE_TYPED_TEST_SUITE_P(Docker, StartingSpawnerContract, Docker);

}  // namespace
}  // namespace berth::spawn::test
