// Claims on GPUs beside the queue's: reservations are kept, GPUs are taken back for a better claim or out of
// service, after a warning; whoever has a sick one is told.
#include "hub/test_culler.hpp"
#include "store/queries.hpp"
#include "store/reservation_queries.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using test::kAnn;
using test::kBob;
using test::kEve;
using test::options_with_gpus;

config::Profile profile_of(std::string name, bool preemptible, std::uint32_t priority) {
    config::Profile profile;
    profile.name = std::move(name);
    profile.gpus = 1;
    profile.max_gpus = 4;
    profile.preemptible = preemptible;
    profile.priority = priority;
    return profile;
}

struct GpuClaims : test::ThreePeople {
    std::optional<Activity> activity;
    std::optional<Culler> culler;

    GpuClaims() {
        options.cull.grace = 0s;
        options.groups["ml"] = {"ann"};
    }
    void open() {
        culler.reset();
        activity.reset();
        ThreePeople::open();
        ASSERT_TRUE(hub->run(hub->directory->apply_config(options, now_utc())));
        activity.emplace(*hub->context);
        culler.emplace(*hub->context, *activity, *hub->stop, *hub->gpus);
    }
    access::Permit gpu_admin() const {
        return access::AccessCheck::system("user:root", "gpu:admin", access::Target::none());
    }
    static Reservations::Wanted for_user(const ServerKey& key, std::uint32_t count = 1) {
        Reservations::Wanted wanted;
        wanted.user = key.user;
        wanted.wish.count = count;
        wanted.begin = now_utc();
        wanted.end = wanted.begin + 1h;
        return wanted;
    }
    Result<store::ReservationRow> reserve(Reservations::Wanted wanted) {
        return hub->run(hub->reservations->add(gpu_admin(), std::move(wanted)));
    }
    std::string refusal(Reservations::Wanted wanted) {
        const auto made = reserve(std::move(wanted));
        return made ? "" : made.error().message;
    }
    Result<void> drain(const std::string& uuid, std::optional<Timestamp> deadline, std::string reason) {
        return hub->run(hub->drains->begin(gpu_admin(), DeviceUuid(uuid), deadline, std::move(reason)));
    }
    void look() { test::look(*hub, *culler); }
    // Bob's start has a better claim than what Ann works with, and the culler has looked.
    void urgent_while_batch() {
        options.profiles = {profile_of("batch", true, 0), profile_of("urgent", false, 10)};
        options.gpu.preemption.enabled = true;
        options.gpu.preemption.min_runtime = 0s;
        options.gpu.preemption.grace = 1s;
        open();
        started(kAnn, json::object{{"profile", "batch"}});
        ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "urgent"}}));
        look();
    }
    bool waits(const ServerKey& key) {
        const auto server = hub->servers->find(key);
        return server && hub->gpus->standing_of(server->row.id).has_value();
    }
    std::shared_ptr<Server> server(const ServerKey& key) { return hub->servers->find(key); }
    void started(const ServerKey& key, json::value wishes = nullptr) {
        ASSERT_TRUE(hub->begin(key, std::move(wishes)));
        ASSERT_TRUE(*hub->wait_started(key));
    }
};

TEST_F(GpuClaims, AReservedGpuIsItsOwners) {
    open();
    ASSERT_TRUE(reserve(for_user(kAnn)));
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_TRUE(waits(kBob)) << "he got what is kept for ann";
    const auto bob = hub->directory->find(kBob.user)->id();
    const auto kept = hub->gpus->kept_from(DeviceUuid("GPU-a"), bob);
    ASSERT_TRUE(kept);
    EXPECT_EQ(
        hub->reservations->owner_of(*hub->reservations->find(static_cast<std::int64_t>(kept->reservation))),
        "ann");
    EXPECT_FALSE(hub->gpus->kept_from(DeviceUuid("GPU-a"), hub->directory->find(kAnn.user)->id()));
    started(kAnn);
    EXPECT_EQ(server(kAnn)->devices, std::vector{DeviceUuid("GPU-a")});
    EXPECT_TRUE(waits(kBob));
}

// Whoever may name it; not who may and does not. The hub that comes after knows it too.
TEST_F(GpuClaims, AGpuReservedForAProjectIsForItsStarts) {
    options.gpu.projects = {{"thesis", {"ann"}, {}}};
    open();
    Reservations::Wanted wanted = for_user(kAnn);
    wanted.project = "thesis";
    EXPECT_EQ(refusal(wanted), "Name the user, the group or the project that the GPUs are to be kept for.");
    wanted.user = UserName("");
    wanted.project = "none";
    EXPECT_EQ(refusal(wanted), "There is no project none in gpu.projects.");
    wanted.project = "thesis";
    const auto made = reserve(wanted);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(hub->reservations->owner_of(*made), "project thesis");
    EXPECT_TRUE(hub->reservations->is_of(*made, kAnn.user));
    EXPECT_FALSE(hub->reservations->is_of(*made, kBob.user));
    ASSERT_TRUE(hub->run(hub->reservations->restore()));
    EXPECT_EQ(hub->reservations->find(made->id)->project, "thesis");
    const auto ann = hub->directory->find(kAnn.user)->id();
    EXPECT_TRUE(hub->gpus->kept_from(DeviceUuid("GPU-a"), ann));
    EXPECT_FALSE(hub->gpus->kept_from(DeviceUuid("GPU-a"), ann, "thesis"));
    ASSERT_TRUE(hub->begin(kAnn));
    EXPECT_TRUE(waits(kAnn)) << "she got what is kept for the project, without naming it";
    const ServerKey second{kAnn.user, ServerName("second")};
    started(second, json::object{{"project", "thesis"}});
}

// Both have waited since before it began; Bob came first.
TEST_F(GpuClaims, WhoWaitsGetsWhatTheyReservedWhenItBegins) {
    options.groups.clear();  // else his group had more than hers
    open();
    started(kEve);
    ASSERT_TRUE(hub->begin(kBob));
    ASSERT_TRUE(hub->begin(kAnn));
    store::ReservationRow row;  // as one that was made long ago
    row.id = number_of(hub->ids->next<LeaseId>());
    row.user = hub->directory->find(kAnn.user)->id();
    row.begin = now_utc() + 300ms;
    row.end = row.begin + 1h;
    hub->store->commit_later([row](store::Transaction& t) { store::insert(t, row); });
    ASSERT_TRUE(hub->run(hub->reservations->restore()));
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kEve), kEve)));
    ASSERT_TRUE(hub->wait_gone(kEve));
    hub->settle(400ms);
    ASSERT_TRUE(hub->run(hub->reservations->restore()));  // as the next tick does
    EXPECT_TRUE(*hub->wait_started(kAnn));
    EXPECT_TRUE(waits(kBob));
}

TEST_F(GpuClaims, WithoutItTheGpuGoesToWhoWaits) {
    open();
    const auto made = reserve(for_user(kAnn));
    ASSERT_TRUE(made);
    ASSERT_TRUE(hub->begin(kBob));
    ASSERT_TRUE(waits(kBob));
    ASSERT_TRUE(hub->run(hub->reservations->remove(gpu_admin(), made->id)));
    EXPECT_TRUE(*hub->wait_started(kBob));
    const auto again = hub->run(hub->reservations->remove(gpu_admin(), made->id));
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(HubErrc::no_such_reservation));
}

TEST_F(GpuClaims, AGroupsReservationIsItsMembers) {
    open();
    auto wanted = for_user(kAnn);
    wanted.user = UserName("");
    wanted.group = "ml";
    ASSERT_TRUE(reserve(wanted));
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_TRUE(waits(kBob));
    started(kAnn);
}

TEST_F(GpuClaims, AReservationOutlivesTheHub) {
    open();
    const auto made = reserve(for_user(kAnn));
    ASSERT_TRUE(made);
    hub->close();
    open();
    ASSERT_EQ(hub->reservations->all().size(), 1U);
    EXPECT_EQ(hub->reservations->all().begin()->first, made->id);
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_TRUE(waits(kBob));
}

TEST_F(GpuClaims, WhatCannotBeKeptIsRefusedWithWhatIsInTheWay) {
    options = options_with_gpus({"GPU-a", "GPU-b"});
    open();
    EXPECT_NE(refusal(for_user(kBob, 3)).find("only 2 GPUs"), std::string::npos)
        << refusal(for_user(kBob, 3));
    started(kAnn);
    const auto held = refusal(for_user(kBob, 2));
    EXPECT_NE(held.find("ann"), std::string::npos) << held;
    EXPECT_NE(held.find("without an end"), std::string::npos) << held;
    ASSERT_TRUE(reserve(for_user(kBob)));
    auto later = for_user(kEve);
    later.begin += 30min;
    const auto beside = refusal(later);
    EXPECT_NE(beside.find("bob (reservation"), std::string::npos) << beside;
    later.begin += 31min;
    later.end = later.begin + 1h;
    EXPECT_EQ(refusal(later), "") << "it is free again by then";
    later.end = later.begin;
    EXPECT_NE(refusal(later), "");
    later.end = later.begin + 24h * 365;
    EXPECT_NE(refusal(later), "");
    const auto audit = hub->store->load();
    EXPECT_TRUE(audit);
}

TEST_F(GpuClaims, ForgetsWhatEndedLongAgoAndWhoseOwnerIsGone) {
    open();
    store::ReservationRow old;
    old.id = number_of(hub->ids->next<LeaseId>());
    old.user = hub->directory->find(kAnn.user)->id();
    old.begin = now_utc() - 24h * 100;
    old.end = old.begin + 1h;
    hub->store->commit_later([old](store::Transaction& t) { store::insert(t, old); });
    ASSERT_TRUE(hub->run(hub->reservations->restore()));
    ASSERT_EQ(hub->reservations->all().size(), 1U);
    auto tidied = [](Reservations& one) -> awaitable<Result<void>> {
        co_await one.tidy();
        co_return Result<void>{};
    };
    ASSERT_TRUE(hub->run(tidied(*hub->reservations)));
    EXPECT_TRUE(hub->reservations->all().empty());
    ASSERT_TRUE(hub->run(hub->reservations->restore()));
    EXPECT_TRUE(hub->reservations->all().empty()) << "it is still in the store";
}

TEST_F(GpuClaims, WhoWorksIsWarnedAndThenMakesRoomForABetterClaim) {
    urgent_while_batch();
    ASSERT_TRUE(server(kAnn)->ending) << "she was not told";
    EXPECT_EQ(server(kAnn)->ending->why, EndReason::preempted);
    EXPECT_EQ(server(kAnn)->ending->extensions_left, 0U);
    EXPECT_TRUE(server(kAnn)->ready()) << "she was given no time";
    const auto kept = hub->run(culler->keep_running(hub->permit(kAnn), kAnn));
    ASSERT_FALSE(kept);
    EXPECT_TRUE(kept.error().is(HubErrc::no_more_extensions));
    hub->settle(1100ms);
    look();
    ASSERT_TRUE(hub->wait_gone(kAnn));
    EXPECT_NE(server(kAnn)->row.stopped_because.find("better claim"), std::string::npos);
    EXPECT_TRUE(*hub->wait_started(kBob));
}

TEST_F(GpuClaims, WhoeverItWasForIsGoneSoItGoesOn) {
    urgent_while_batch();
    ASSERT_TRUE(server(kAnn)->ending);
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kBob), kBob)));
    ASSERT_TRUE(hub->wait_gone(kBob));
    hub->settle(1100ms);
    look();
    EXPECT_TRUE(server(kAnn)->ready());
    EXPECT_FALSE(server(kAnn)->ending) << "the warning stays though nobody wants it";
}

TEST_F(GpuClaims, NobodyIsPreemptedUnlessItIsSwitchedOnAndTheProfileAllowsIt) {
    options.profiles = {
        profile_of("batch", true, 0), profile_of("steady", false, 0), profile_of("urgent", false, 10)};
    for (const bool on : {false, true}) {
        options.gpu.preemption.enabled = on;
        options.gpu.preemption.min_runtime = 0s;
        open();
        started(kAnn, json::object{{"profile", on ? "steady" : "batch"}});
        ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "urgent"}}));
        look();
        EXPECT_FALSE(server(kAnn)->ending) << on;
        hub->close();
        std::filesystem::remove_all(hub->dir);
        culler.reset();
        activity.reset();
        spawner.reset();
        hub.reset();
    }
}

TEST_F(GpuClaims, ADrainedGpuIsGivenToNobodyAndItsPeopleAreTold) {
    open();
    started(kAnn);
    ASSERT_TRUE(drain("GPU-a", std::nullopt, "new fans"));
    const auto notice = gpu_notice(*server(kAnn), *hub->inventory, &*hub->drains);
    EXPECT_NE(notice.find("new fans"), std::string::npos) << notice;
    look();
    EXPECT_TRUE(server(kAnn)->ready()) << "nobody said until when";
    EXPECT_FALSE(server(kAnn)->ending);
    hub->close();
    open();
    ASSERT_NE(hub->drains->find(DeviceUuid("GPU-a")), nullptr) << "a restart forgot it";
    EXPECT_EQ(hub->drains->find(DeviceUuid("GPU-a"))->reason, "new fans");
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_TRUE(waits(kBob));
    ASSERT_TRUE(hub->run(hub->reconcile->once()));  // nothing of Ann's runs any more
    ASSERT_TRUE(hub->wait_gone(kAnn));
    hub->settle(30ms);
    EXPECT_TRUE(waits(kBob));
    ASSERT_TRUE(hub->run(hub->drains->end(gpu_admin(), DeviceUuid("GPU-a"))));
    EXPECT_TRUE(*hub->wait_started(kBob));
    EXPECT_EQ(gpu_notice(*server(kBob), *hub->inventory, &*hub->drains), "");
}

TEST_F(GpuClaims, ADrainWithADeadlineEndsServersThenAndNoSooner) {
    open();
    started(kAnn);
    ASSERT_TRUE(drain("GPU-a", now_utc() + 1s, "new fans"));
    look();
    ASSERT_TRUE(server(kAnn)->ending);
    EXPECT_EQ(server(kAnn)->ending->why, EndReason::drain);
    EXPECT_TRUE(server(kAnn)->ready());
    hub->settle(1100ms);
    look();
    ASSERT_TRUE(hub->wait_gone(kAnn));
    EXPECT_NE(server(kAnn)->row.stopped_because.find("new fans"), std::string::npos);
    EXPECT_FALSE(drain("GPU-none", std::nullopt, ""));
}

gpu::AgentSnapshot snapshot_of(const std::string& sick, const std::string& fault) {
    gpu::AgentSnapshot snapshot;
    for (const auto* uuid : {"GPU-a", "GPU-b"}) {
        gpu::DeviceReading reading;
        reading.uuid = uuid;
        reading.name = "H100";
        if (uuid == sick) reading.fault = fault;
        snapshot.devices.push_back(std::move(reading));
    }
    return snapshot;
}

TEST_F(GpuClaims, WhoHasASickGpuIsToldAndNobodyElseGetsIt) {
    options = options_with_gpus({"GPU-a", "GPU-b"});
    open();
    started(kAnn, json::object{{"profile", "gpu"}, {"gpus", 2}});
    EXPECT_EQ(gpu_notice(*server(kAnn), *hub->inventory, &*hub->drains), "");
    hub->inventory->apply(snapshot_of("GPU-b", "Xid 79: GPU has fallen off the bus"), now_utc());
    hub->leases->sync(*hub->inventory);
    const auto notice = gpu_notice(*server(kAnn), *hub->inventory, &*hub->drains);
    EXPECT_NE(notice.find("Xid 79"), std::string::npos) << notice;
    EXPECT_NE(notice.find("GPU-b"), std::string::npos) << notice;
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kAnn), kAnn)));
    ASSERT_TRUE(hub->wait_gone(kAnn));
    ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "gpu"}, {"gpus", 2}}));
    EXPECT_TRUE(waits(kBob));
}

TEST_F(GpuClaims, BackInServiceASuspectIsTrustedAgain) {
    open();
    const DeviceUuid device("GPU-a");
    for (int i = 0; i < 2; ++i)
        hub->inventory->note_verify_failure(device, now_utc());
    hub->leases->sync(*hub->inventory);
    ASSERT_TRUE(hub->begin(kBob));
    EXPECT_TRUE(waits(kBob)) << "two starts did not find it";
    ASSERT_TRUE(hub->run(hub->drains->end(gpu_admin(), device)));
    EXPECT_TRUE(*hub->wait_started(kBob));
}

// Ann holds one of two; Bob waits for both. A lease that is over before he could start delays nobody.
TEST_F(GpuClaims, WhatIsPromisedIsNotForTheFacade) {
    options = options_with_gpus({"GPU-a", "GPU-b"});
    open();
    EXPECT_TRUE(hub->gpus->promised(24h).empty()) << "nobody has a claim";
    started(kAnn);
    EXPECT_TRUE(hub->gpus->promised(24h).empty());
    ASSERT_TRUE(hub->begin(kBob, json::object{{"profile", "gpu"}, {"gpus", 2}}));
    EXPECT_EQ(hub->gpus->promised(24h), std::vector{DeviceUuid("GPU-b")});
    EXPECT_TRUE(hub->gpus->promised(1min).empty());
    ASSERT_TRUE(hub->run(hub->stop->begin(hub->permit(kBob), kBob)));
    ASSERT_TRUE(hub->wait_gone(kBob));
    ASSERT_TRUE(reserve(for_user(kEve)));
    EXPECT_EQ(hub->gpus->promised(1min), std::vector{DeviceUuid("GPU-b")});
}

}  // namespace
}  // namespace berth::hub
