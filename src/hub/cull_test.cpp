// The culler over the real use cases: who is warned, who may hold it off, who is stopped, and who never.
#include "hub/kernels.hpp"
#include "hub/test_culler.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using test::kAnn;
using test::options_with_gpus;
using test::TestHub;

const ServerKey kAnnsOther{UserName("ann"), ServerName("train")};

config::Options culling(seconds idle, seconds warning) {
    auto options = options_with_gpus({"GPU-a", "GPU-b"});
    options.cull.idle = idle;
    options.cull.warning = warning;
    options.cull.extension = 60s;
    options.cull.max_extensions = 2;
    options.cull.grace = 0s;
    return options;
}

struct CullTest : test::CullerFixture {
    void open(config::Options options, const std::string& folder = {}) {
        open_for({kAnn}, std::move(options), folder);
    }
    void start(const ServerKey& key) {
        ASSERT_TRUE(hub->begin(key));
        ASSERT_TRUE(*hub->wait_started(key));
    }
    // The row says so, and the culler has not seen the server before.
    void idle_for(seconds span, const ServerKey& key = kAnn) {
        auto& row = server(key).row;
        row.last_activity = now_utc() - span;
        row.started = now_utc() - span;
    }
    Result<Timestamp> keep(const ServerKey& key = kAnn) {
        return hub->run(culler->keep_running(hub->permit(key), key));
    }
    std::vector<store::AuditRow> audit(const std::string& principal) {
        std::vector<store::AuditRow> rows;
        auto read = hub->run(hub->store->commit([&rows, principal](store::Transaction& t) {
            rows = store::audit_records(t, {principal, "", 100});
        }));
        EXPECT_TRUE(read);
        return rows;
    }
};

TEST_F(CullTest, AnIdleServerIsWarnedThenStoppedWithItsReasonKept) {
    open(culling(60s, 1s));
    start(kAnn);
    idle_for(70s);
    look();
    ASSERT_TRUE(server().ending);
    EXPECT_EQ(server().ending->why, EndReason::idle);
    EXPECT_EQ(server().ending->extensions_left, 2U);
    EXPECT_TRUE(server().ready());
    look();
    EXPECT_TRUE(server().ready()) << "the warning has just begun";
    std::this_thread::sleep_for(1100ms);
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
    EXPECT_EQ(server().row.lifecycle, Lifecycle::stopped);
    EXPECT_NE(server().row.stopped_because.find("after 60 s without activity"), std::string::npos)
        << server().row.stopped_because;
    EXPECT_FALSE(server().ending);
    EXPECT_TRUE(hub->leases->all().empty());
    const auto records = audit("system:culler");
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].action, "server.stop");
    EXPECT_EQ(records[0].detail, "idle");
    EXPECT_EQ(records[0].target, "ann/");

    const auto dir = hub->dir;
    auto options = hub->options;
    hub->close();
    open(std::move(options), dir);
    EXPECT_NE(server().row.stopped_because.find("without activity"), std::string::npos);
    start(kAnn);
    EXPECT_EQ(server().row.stopped_because, "");
}

TEST_F(CullTest, ActivityRevokesTheWarning) {
    open(culling(60s, 1s));
    start(kAnn);
    idle_for(70s);
    look();
    ASSERT_TRUE(server().ending);
    ActivityReport report;
    report.servers[kAnn.server] = now_utc();
    ASSERT_TRUE(activity->record(hub->permit(kAnn), kAnn.user, report));
    std::this_thread::sleep_for(1100ms);
    look();
    EXPECT_FALSE(server().ending);
    EXPECT_TRUE(server().ready());
}

TEST_F(CullTest, NamedServersAreJudgedOneByOne) {
    open(culling(60s, 0s));
    start(kAnn);
    start(kAnnsOther);
    idle_for(70s, kAnnsOther);
    look();
    EXPECT_TRUE(hub->wait_gone(kAnnsOther));
    EXPECT_TRUE(server(kAnn).ready());
}

TEST_F(CullTest, TheAgeOfAGroupsServersHasItsOwnLimit) {
    auto options = culling(0s, 0s);
    config::CullRule rule;
    rule.group = "guests";
    rule.max_age = 60s;
    options.cull.rules.push_back(rule);
    open(options);
    hub->add_user("bob");
    const auto guests =
        hub->run(hub->directory->create_group(GroupName("guests"), {hub->directory->find(kAnn.user)->id()}));
    ASSERT_TRUE(guests);
    const ServerKey bob{UserName("bob"), ServerName("")};
    start(kAnn);
    start(bob);
    for (const auto& key : {kAnn, bob}) {
        idle_for(70s, key);
        server(key).row.last_activity = now_utc();
    }
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
    EXPECT_TRUE(server(bob).ready());
    EXPECT_NE(server(kAnn).row.stopped_because.find("had run for 60 s"), std::string::npos);
}

TEST_F(CullTest, KeepRunningHoldsTheEndOffAsOftenAsItMay) {
    open(culling(60s, 1s));
    start(kAnn);
    EXPECT_TRUE(keep().error().is(HubErrc::no_end_near));
    for (const int left : {1, 0}) {
        idle_for(70s);
        culler.emplace(*hub->context, *activity, *hub->stop, *hub->gpus);  // as after the extension's end
        server().row.kept_until.reset();
        look();
        ASSERT_TRUE(server().ending);
        const auto until = keep();
        ASSERT_TRUE(until) << until.error().message;
        EXPECT_GT(*until, now_utc() + 55s);
        EXPECT_FALSE(server().ending);
        EXPECT_EQ(2 - server().row.keep_count, left);
        std::this_thread::sleep_for(1100ms);
        look();
        EXPECT_TRUE(server().ready());
        EXPECT_FALSE(server().ending);
    }
    culler.emplace(*hub->context, *activity, *hub->stop, *hub->gpus);
    server().row.kept_until.reset();
    look();
    ASSERT_TRUE(server().ending);
    EXPECT_EQ(server().ending->extensions_left, 0U);
    EXPECT_TRUE(keep().error().is(HubErrc::no_more_extensions));
    EXPECT_EQ(audit("system:test").size(), 3U);  // the start, and two times kept
}

TEST_F(CullTest, WhatWasKeptIsKeptOverARestartOfTheHub) {
    open(culling(60s, 0s));
    start(kAnn);
    idle_for(70s);
    hub->options.cull.warning = 5s;
    look();
    ASSERT_TRUE(server().ending);
    ASSERT_TRUE(keep());
    hub->options.cull.warning = 0s;
    const auto dir = hub->dir;
    auto options = hub->options;
    hub->close();
    open(std::move(options), dir);
    ASSERT_EQ(server().row.keep_count, 1);
    idle_for(1h);
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

// Both wait for the user's claim; the press of the button has it first. Its answer must stay true.
TEST_F(CullTest, WhoWasToldThatItGoesOnIsRight) {
    auto options = culling(0s, 1s);
    options.cull.max_age = 60s;
    open(options);
    start(kAnn);
    idle_for(70s);
    look();
    ASSERT_TRUE(server().ending);
    std::this_thread::sleep_for(1100ms);
    hub->scope.spawn("hold", OnStop::cancel, [](TestHub& h) -> awaitable<> {
        const auto held = co_await h.servers->claim(kAnn.user);
        co_await sleep_for(300ms);
    }(*hub));
    bool told = false;
    hub->scope.spawn("keep", OnStop::cancel, [](CullTest& test, bool& out) -> awaitable<> {
        out = (co_await test.culler->keep_running(test.hub->permit(kAnn), kAnn)).has_value();
    }(*this, told));
    hub->settle(20ms);
    hub->scope.spawn("look", OnStop::cancel, culler->look());
    hub->settle(150ms);
    EXPECT_FALSE(told);
    hub->settle(500ms);
    EXPECT_TRUE(told);
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

TEST_F(CullTest, AStartIsActivitySoNoCullerEndsItForWhatWasBefore) {
    open(culling(60s, 0s));
    start(kAnn);
    server().row.last_activity = now_utc() - 100h;
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kAnn), kAnn)));
    ASSERT_TRUE(hub->wait_gone(kAnn));
    start(kAnn);
    EXPECT_GT(*server().row.last_activity, now_utc() - 10s);
}

TEST_F(CullTest, ARestartedHubEndsNobodyBeforeItsGraceIsOver) {
    auto options = culling(60s, 0s);
    options.cull.grace = 2s;
    open(options);
    start(kAnn);
    start(kAnnsOther);
    idle_for(100h);
    idle_for(100h, kAnnsOther);
    look();
    EXPECT_TRUE(server(kAnn).ready());
    EXPECT_TRUE(server(kAnnsOther).ready());
    std::this_thread::sleep_for(2100ms);
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
}

TEST_F(CullTest, AClockSetForwardEndsNobody) {
    open(culling(60s, 0s));
    start(kAnn);
    look();
    // A day passes for the clock on the wall, and nothing for the server.
    server().row.last_activity = *server().row.last_activity - 24h;
    server().row.started = *server().row.started - 24h;
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

TEST_F(CullTest, NorOneThatStartedMeanwhile) {
    open(culling(60s, 0s));
    look();
    start(kAnn);
    idle_for(24h);
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

TEST_F(CullTest, AClockSetBackDoesNotHideWork) {
    open(culling(60s, 0s));
    start(kAnn);
    server().row.last_activity = now_utc() + 24h;
    ActivityReport report;
    report.servers[kAnn.server] = now_utc();
    ASSERT_TRUE(activity->record(hub->permit(kAnn), kAnn.user, report));
    EXPECT_LT(*server().row.last_activity, now_utc() + 1s);
}

TEST_F(CullTest, WithoutLimitsNobodyIsLookedAt) {
    open(culling(0s, 0s));
    start(kAnn);
    idle_for(10'000h);
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

TEST_F(CullTest, AnOpenPageIsWorkOnlyWhereItIsSaidToBe) {
    auto options = culling(60s, 0s);
    options.cull.count_open_pages = false;
    open(options);
    start(kAnn);
    idle_for(70s);
    server().row.last_activity = now_utc();  // as a page that asks for news makes it
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
}

// --- GPUs ---

struct GpuCullTest : CullTest {
    void open_with_agent() {
        auto options = culling(60s, 0s);
        options.gpu.agent = true;
        open(options);
        start(kAnn);
        ASSERT_EQ(server().devices.size(), 1U);
    }
    void report(std::uint32_t percent) {
        gpu::DeviceReading reading;
        reading.uuid = server().devices[0].value;
        reading.utilisation_percent = percent;
        hub->inventory->apply(gpu::AgentSnapshot{"1", {reading}}, now_utc());
        culler->on_gpu_readings();
    }
};

TEST_F(GpuCullTest, UseOfItsGpuIsActivity) {
    open_with_agent();
    idle_for(70s);
    report(90);
    EXPECT_GT(*server().row.last_activity, now_utc() - 5s);
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
}

TEST_F(GpuCullTest, AnUnusedGpuIsNone) {
    open_with_agent();
    idle_for(70s);
    report(0);
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
}

TEST_F(GpuCullTest, WhileItsReadingsAreOldAServerIsNotIdle) {
    open_with_agent();
    report(0);
    hub->inventory->agent_silent(now_utc());
    idle_for(70s);
    look();
    EXPECT_TRUE(server().ready());
    EXPECT_FALSE(server().reaping);
    report(0);
    idle_for(70s);
    culler.emplace(*hub->context, *activity, *hub->stop, *hub->gpus);
    look();
    EXPECT_TRUE(hub->wait_gone(kAnn));
}

// --- kernels ---

TEST(Kernels, ABusyOneIsSeenAndTheLatestTime) {
    const auto seen = kernels_in(
        R"([{"execution_state": "idle", "last_activity": "2026-01-02T03:04:05.000001Z"},
            {"execution_state": "busy", "last_activity": "2026-01-02T03:00:00.000000Z"}])",
        R"([{"name": "1", "last_activity": "2026-01-02T04:00:00.000000Z"}])");
    EXPECT_TRUE(seen.busy);
    EXPECT_EQ(seen.latest, parse_rfc3339("2026-01-02T04:00:00Z"));
    EXPECT_FALSE(kernels_in("no JSON", "{}").busy);
    EXPECT_FALSE(kernels_in("", "").latest);
}

}  // namespace
}  // namespace berth::hub
