// Leases with an end: told, moved by those who may, kept over a restart and over a clock that is set.
#include "hub/notify.hpp"
#include "hub/test_culler.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using test::kAnn;
using test::kBob;

config::Options leasing(seconds length) {
    auto options = test::options_with_gpus({"GPU-a"});
    options.cull.warning = 1s;
    options.cull.grace = 0s;
    options.gpu.lease.length = length;
    options.gpu.lease.longest = 10h;
    return options;
}

struct LeaseEnds : test::CullerFixture {
    void open(config::Options options, const std::string& folder = {}) {
        open_for({kAnn, kBob}, std::move(options), folder);
    }
    void start(const ServerKey& key) {
        ASSERT_TRUE(hub->begin(key, json::value{{"gpus", 1}}));
        ASSERT_TRUE(*hub->wait_started(key));
    }
    Timestamp end() { return *culler->lease_end_of(server()); }
    Result<Timestamp> extend(std::optional<Timestamp> until = std::nullopt) {
        return hub->run(culler->extend_lease(hub->permit(kAnn), kAnn, until));
    }
    void end_in(seconds left) {
        auto row = *hub->leases->find(*server().lease);
        row.expires_at = now_utc() + left;
        hub->leases->apply(row);
    }
};

TEST_F(LeaseEnds, AServerEndsWithItsLeaseAndSaysWhy) {
    open(leasing(1h));
    start(kAnn);
    EXPECT_LT(std::chrono::abs(end() - (now_utc() + 1h)), 10s);
    end_in(2s);
    look();
    ASSERT_TRUE(server().ending);
    EXPECT_EQ(server().ending->why, EndReason::lease);
    EXPECT_EQ(server().ending->extensions_left, 1U);
    std::this_thread::sleep_for(2100ms);
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
    EXPECT_NE(server().row.stopped_because.find("the time of its GPU was over"), std::string::npos);
    EXPECT_TRUE(hub->leases->all().empty());
}

TEST_F(LeaseEnds, RenewedItGoesOn) {
    open(leasing(1h));
    start(kAnn);
    end_in(2s);
    look();
    const auto until = hub->run(culler->keep_running(hub->permit(kAnn), kAnn));
    ASSERT_TRUE(until) << until.error().message;
    EXPECT_LT(std::chrono::abs(*until - (now_utc() + 1h)), 5s);
    EXPECT_FALSE(server().ending);
    EXPECT_EQ(end(), *until);
    EXPECT_EQ(*hub->gpus->scheduler().state().holdings.at(*server().lease).deadline, *until);
    std::this_thread::sleep_for(2100ms);
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

TEST_F(LeaseEnds, NotBeyondTheLongestNorForLess) {
    open(leasing(1h));
    start(kAnn);
    EXPECT_NE(extend(now_utc() + 11h).error().message.find("gpu.lease.longest"), std::string::npos);
    EXPECT_TRUE(extend(now_utc() + 30min).error().is(HubErrc::no_more_extensions));
    ASSERT_TRUE(extend(now_utc() + 9h));
    EXPECT_TRUE(extend().error().is(HubErrc::no_more_extensions)) << "an hour from now is less";
}

TEST_F(LeaseEnds, NotWhileSomebodyWaitsAndThePromiseHolds) {
    open(leasing(1h));
    start(kAnn);
    ASSERT_TRUE(hub->begin(kBob, json::value{{"gpus", 1}}));
    const auto promised = hub->gpus->standing_of(server(kBob).row.id)->estimate.latest_start;
    ASSERT_TRUE(promised);
    EXPECT_EQ(*promised, end());
    const auto refused = extend(now_utc() + 2h);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("Somebody is waiting"), std::string::npos);
    EXPECT_EQ(*promised, end());
    end_in(30min);
    culler.emplace(*hub->context, *activity, *hub->stop, *hub->gpus);
    look();
    ASSERT_TRUE(server().ending);
    EXPECT_EQ(server().ending->extensions_left, 0U);
    EXPECT_NE(server().ending->no_extension.find("Somebody is waiting"), std::string::npos);
}

TEST_F(LeaseEnds, ARestartOfTheHubKeepsTheEnd) {
    open(leasing(1h));
    start(kAnn);
    ASSERT_TRUE(extend(now_utc() + 3h));
    const auto before = end();
    const auto dir = hub->dir;
    auto options = hub->options;
    hub->close();
    open(std::move(options), dir);
    EXPECT_EQ(end(), before);
}

TEST_F(LeaseEnds, AClockThatIsSetMovesTheEndAndEndsNobody) {
    open(leasing(3h));
    start(kAnn);
    look();
    const auto before = end();
    ASSERT_TRUE(hub->run(culler->follow_clock(24h)));
    EXPECT_EQ(end(), before + 24h);
    look();
    EXPECT_FALSE(server().ending);
    const auto dir = hub->dir;
    auto options = hub->options;
    hub->close();
    open(std::move(options), dir);
    EXPECT_EQ(end(), before + 24h) << "it is in the store";
}

TEST_F(LeaseEnds, WithoutALengthThereIsNoEnd) {
    open(leasing(0s));
    start(kAnn);
    EXPECT_FALSE(culler->lease_end_of(server()));
    EXPECT_TRUE(extend().error().is(HubErrc::no_end_near));
}

TEST_F(LeaseEnds, WhoseGpuWasNeverUsedIsToldOnce) {
    auto options = leasing(0s);
    options.gpu.agent = true;
    open(options);
    start(kAnn);
    gpu::DeviceReading reading;
    reading.uuid = "GPU-a";
    reading.utilisation_percent = 0;
    hub->inventory->apply(gpu::AgentSnapshot{"1", {reading}}, now_utc());
    culler->on_gpu_readings();
    look();
    EXPECT_EQ(server().hint, "");
    culler->hint_after(0s);
    look();
    EXPECT_NE(server().hint.find("a profile without a GPU"), std::string::npos);
    reading.utilisation_percent = 90;
    hub->inventory->apply(gpu::AgentSnapshot{"1", {reading}}, now_utc());
    culler->on_gpu_readings();
    EXPECT_EQ(server().hint, "");
    look();
    EXPECT_EQ(server().hint, "");
}

}  // namespace
}  // namespace berth::hub
