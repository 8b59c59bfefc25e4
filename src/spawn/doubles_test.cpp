#include "spawn/doubles.hpp"

#include "spawn/spawner_contract_test.hpp"

namespace berth::spawn::test {
namespace {

template <class Double>
class DoubleSubject {
public:
    explicit DoubleSubject(Harness& harness) {
        if constexpr (std::is_same_v<Double, doubles::SlowSpawner>) {
            spawner_ = std::make_unique<Double>(harness.io.get_executor(), 10ms);
        } else {
            spawner_ = std::make_unique<Double>(harness.io.get_executor());
        }
    }
    static constexpr bool kStarts =
        !std::is_same_v<Double, doubles::NeverSpawner> && !std::is_same_v<Double, doubles::CrashingSpawner>;
    static constexpr bool kAnswers = false;

    std::string unavailable() { return ""; }
    Spawner& spawner() { return *spawner_; }
    void restart_hub() {}  // the backend is the object itself
    StartPlan plan(std::int64_t server, std::int64_t generation) {
        StartPlan plan;
        plan.instance = "contract";
        plan.key = {UserName("ann"), ServerName("")};
        plan.server = ServerId{server};
        plan.generation = generation;
        plan.devices = {DeviceUuid("GPU-aaaa")};
        return plan;
    }
    void kill(const StartPlan& plan, const Endpoint&) { spawner_->kill(plan.server); }

private:
    std::unique_ptr<Double> spawner_;
};

using AllDoubles = testing::Types<
    DoubleSubject<doubles::MemorySpawner>,
    DoubleSubject<doubles::SlowSpawner>,
    DoubleSubject<doubles::NeverSpawner>,
    DoubleSubject<doubles::CrashingSpawner>,
    DoubleSubject<doubles::LyingSpawner>>;
using StartingDoubles = testing::Types<
    DoubleSubject<doubles::MemorySpawner>,
    DoubleSubject<doubles::SlowSpawner>,
    DoubleSubject<doubles::LyingSpawner>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Doubles, SpawnerContract, AllDoubles);
INSTANTIATE_TYPED_TEST_SUITE_P(Doubles, StartingSpawnerContract, StartingDoubles);

TEST(CrashingSpawner, SaysWhatTheProcessWroteLast) {
    Harness harness;
    DoubleSubject<doubles::CrashingSpawner> subject(harness);
    const auto started = harness.run(subject.spawner().start(subject.plan(1, 1), {}, soon()));
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().is(SpawnErrc::exited_early));
    EXPECT_NE(started.error().message.find("ModuleNotFoundError"), std::string::npos);
}

TEST(NeverSpawner, EndsAtItsDeadline) {
    Harness harness;
    DoubleSubject<doubles::NeverSpawner> subject(harness);
    const auto started = harness.run(subject.spawner().start(subject.plan(1, 1), {}, Deadline::in(10ms)));
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().is(SpawnErrc::start_timeout));
}

TEST(MemorySpawner, CanBeUnreachable) {
    Harness harness;
    DoubleSubject<doubles::MemorySpawner> subject(harness);
    static_cast<doubles::MemorySpawner&>(subject.spawner()).set_reachable(false);
    const auto checked = harness.run(subject.spawner().check(soon()));
    ASSERT_FALSE(checked);
    EXPECT_TRUE(checked.error().is(SpawnErrc::backend_unreachable));
}

}  // namespace
}  // namespace berth::spawn::test
