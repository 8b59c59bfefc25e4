// Each row of the table of gpu.md E.9: what the rows say, what the backend says, and what is done.
#include "hub/test_hub.hpp"
#include "store/queries.hpp"

namespace berth::hub {
namespace {

using namespace std::chrono_literals;
using spawn::doubles::MemorySpawner;
using test::kAnn;
using test::kBob;
using test::kEve;
using test::options_with_gpus;
using test::TestHub;

const std::string kToken = "0123456789abcdef0123456789abcdef";

struct ReconcileTest : testing::Test {
    TestHub hub{options_with_gpus({"GPU-a", "GPU-b"})};
    std::shared_ptr<MemorySpawner> spawner;

    ReconcileTest() {
        spawner = std::make_shared<MemorySpawner>(hub.io.get_executor());
        hub.open(spawner);
        spawner->url = hub.notebook_url();
        for (const auto& key : {kAnn, kBob, kEve})
            hub.add_user(key.user.value);
    }
    ~ReconcileTest() override {
        spawner->set_removable(true);
        if (hub.store) hub.close();
        std::filesystem::remove_all(hub.dir);
    }
    // Something of this hub that the backend holds and no row asks for.
    void put_object(const ServerKey& key, int server, int generation, const std::string& device) {
        spawn::StartPlan plan;
        plan.instance = "test";
        plan.key = key;
        plan.server = static_cast<ServerId>(server);
        plan.generation = generation;
        plan.devices = {DeviceUuid(device)};
        plan.environment = {{"JUPYTERHUB_API_TOKEN", kToken}};
        ASSERT_TRUE(hub.run(spawner->start(plan, [](int, std::string) {}, Deadline::in(1s))));
    }
    void reconcile() { ASSERT_TRUE(hub.run(hub.reconcile->once())); }
    std::string device_of(const ServerKey& key) {
        const auto server = hub.servers->find(key);
        return server && !server->devices.empty() ? server->devices.front().value : "";
    }
    std::vector<store::LeaseRow> stored_leases(ServerId id) {
        std::vector<store::LeaseRow> rows;
        auto read = hub.run(
            hub.store->read([&rows, id](store::Transaction& t) { rows = store::leases_of_server(t, id); }));
        EXPECT_TRUE(read);
        return rows;
    }
};

TEST_F(ReconcileTest, AsksTheBackendOnce) {
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    reconcile();
    EXPECT_EQ(spawner->lists, 1U);
}

TEST_F(ReconcileTest, AStraysDeviceIsNobodysUntilItIsGone) {
    put_object({UserName("removed"), ServerName("")}, 1, 1, "GPU-a");
    spawner->set_removable(false);
    reconcile();
    ASSERT_TRUE(hub.begin(kAnn));
    EXPECT_EQ(device_of(kAnn), "GPU-b");
    EXPECT_FALSE(hub.begin(kBob, json::object{{"wait", false}})) << "GPU-a may still be in use";
    spawner->set_removable(true);
    for (int i = 0; i < 300 && hub.leases->ledger().find(DeviceUuid("GPU-a"))->leases > 0; ++i)
        hub.settle(10ms);
    ASSERT_TRUE(hub.begin(kBob));
    EXPECT_EQ(device_of(kBob), "GPU-a");
}

TEST_F(ReconcileTest, ReleasedButStillRunningIsStopped) {
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    const auto id = number_of(hub.servers->find(kAnn)->row.id);
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kAnn), kAnn)));
    ASSERT_TRUE(hub.wait_gone(kAnn));
    put_object(kAnn, static_cast<int>(id), 1, "GPU-a");  // the backend did after all what it had not answered
    reconcile();
    hub.settle(20ms);
    EXPECT_EQ(spawner->running(), 0U);
    EXPECT_FALSE(hub.servers->find(kAnn)->active());
}

TEST_F(ReconcileTest, AnOlderStartsLeftoverGoesAndTheNewOneStays) {
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    auto& row = hub.servers->find(kAnn)->row;
    row.generation += 1;  // as if this hub had started it anew
    const auto before = spawner->running();
    reconcile();
    hub.settle(20ms);
    EXPECT_LT(spawner->running(), before);
}

TEST_F(ReconcileTest, ARunningNotebookTheDatabaseNeverKnewIsAdopted) {
    put_object(kEve, 5000, 3, "GPU-a");
    reconcile();
    const auto server = hub.servers->find(kEve);
    ASSERT_TRUE(server);
    EXPECT_TRUE(server->ready());
    EXPECT_EQ(server->row.generation, 3);
    EXPECT_EQ(device_of(kEve), "GPU-a");
    EXPECT_EQ(spawner->running(), 1U) << "it goes on";
    EXPECT_NE(hub.directory->find_token(kToken, now_utc()), nullptr) << "it may report to the hub";
    EXPECT_GT(number_of(hub.ids->next<ServerId>()), 5000) << "no new server gets its id";
    ASSERT_TRUE(hub.begin(kAnn));
    EXPECT_EQ(device_of(kAnn), "GPU-b");
    // It is a server like any other from now on.
    ASSERT_TRUE(hub.run(hub.stop->begin(hub.permit(kEve), kEve)));
    EXPECT_TRUE(hub.wait_gone(kEve));
    EXPECT_EQ(hub.leases->all().size(), 1U);
}

TEST_F(ReconcileTest, OfTwoUnknownOnOneDeviceOnlyOneStays) {
    put_object(kAnn, 5000, 1, "GPU-a");
    put_object(kBob, 5001, 1, "GPU-a");
    reconcile();
    hub.settle(20ms);
    EXPECT_EQ(spawner->running(), 1U);
    EXPECT_TRUE(hub.servers->find(kAnn)->ready());
    EXPECT_FALSE(hub.servers->find(kBob));
    EXPECT_EQ(hub.leases->ledger().find(DeviceUuid("GPU-a"))->leases, 1U);
}

TEST_F(ReconcileTest, ALeasedDeviceIsNotTakenFromItsHolderByAStray) {
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    put_object(kEve, 5000, 1, device_of(kAnn));
    reconcile();
    hub.settle(20ms);
    EXPECT_FALSE(hub.servers->find(kEve));
    EXPECT_TRUE(hub.servers->find(kAnn)->ready());
    EXPECT_EQ(spawner->running(), 1U);
}

TEST_F(ReconcileTest, ForeignUseIsCountedAvoidedAndNeverTouched) {
    spawner->foreign = {{"training", {"GPU-a"}}, {"web", {}}};
    reconcile();
    ASSERT_EQ(hub.inventory->external().size(), 1U);
    EXPECT_EQ(hub.inventory->external()[0].name, "training");
    ASSERT_TRUE(hub.begin(kAnn));
    EXPECT_EQ(device_of(kAnn), "GPU-b") << "the one that is not used by others";
    ASSERT_TRUE(hub.begin(kBob));
    EXPECT_EQ(device_of(kBob), "GPU-a") << "better than none";
    spawner->foreign.clear();
    reconcile();
    EXPECT_TRUE(hub.inventory->external().empty());
}

TEST_F(ReconcileTest, ARowWhoseObjectIsGoneIsSettledWithTheTimeItEnded) {
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    const auto server = hub.servers->find(kAnn);
    const auto id = server->row.id;
    hub.settle(30ms);
    const auto ended = now_utc();
    spawner->finished = ended;
    spawner->kill(id);
    hub.settle(50ms);
    reconcile();
    ASSERT_TRUE(hub.wait_gone(kAnn));
    const auto leases = stored_leases(id);
    ASSERT_EQ(leases.size(), 1U);
    EXPECT_EQ(leases[0].released_at, ended);
    EXPECT_NE(hub.servers->find(kAnn)->row.stopped_because.find("signal 9"), std::string::npos);
}

TEST_F(ReconcileTest, WhoseServerWasFoundEndedIsToldAlsoWhenNobodyKnowsWhy) {
    ASSERT_TRUE(hub.begin(kAnn));
    ASSERT_TRUE(*hub.wait_started(kAnn));
    spawner->exit_code = std::nullopt;
    spawner->kill(hub.servers->find(kAnn)->row.id);
    hub.settle(50ms);
    reconcile();
    ASSERT_TRUE(hub.wait_gone(kAnn));
    const auto& told = hub.servers->find(kAnn)->row.stopped_because;
    EXPECT_NE(told.find("had ended when the hub looked"), std::string::npos) << told;
}

TEST_F(ReconcileTest, ALeaseWithoutAServerThatRunsIsEnded) {
    const auto user = hub.directory->find(kAnn.user)->id();
    auto granted = hub.leases->reserve(
        hub.ids->next<LeaseId>(), user, static_cast<ServerId>(4), 1, gpu::DeviceRequest{1}, now_utc());
    ASSERT_TRUE(granted);
    const auto row = granted->row;
    ASSERT_TRUE(hub.run(hub.store->commit([row](store::Transaction& t) { store::insert(t, row); })));
    reconcile();
    EXPECT_EQ(hub.leases->all().size(), 1U) << "it is being committed";
    std::move(granted->claim).keep();
    reconcile();
    EXPECT_EQ(hub.leases->all().size(), 0U);
}

class AddressTest : public ReconcileTest {
protected:
    AddressTest() { hub.scope.spawn("watch", OnStop::cancel, hub.reconcile->watch()); }
    std::string route_to(const ServerKey& key) const {
        const auto& wanted = hub.routes->wanted();
        const auto route = wanted.find(hub.servers->find(key)->prefix(hub.options.base_path()));
        return route == wanted.end() ? "none" : route->second.target;
    }
    void start(const ServerKey& key) {
        ASSERT_TRUE(hub.begin(key));
        ASSERT_TRUE(*hub.wait_started(key));
    }
    void move(const ServerKey& key, std::string to) {
        spawner->move(hub.servers->find(key)->row.id, std::move(to));
        hub.settle(50ms);
    }
};

TEST_F(AddressTest, NothingLeadsToTheAddressOfAServerThatLostItsNetwork) {
    start(kAnn);
    EXPECT_EQ(route_to(kAnn), hub.notebook_url());
    move(kAnn, "");
    const auto server = hub.servers->find(kAnn);
    EXPECT_TRUE(server->unreachable());
    EXPECT_EQ(route_to(kAnn), "none");
    EXPECT_EQ(hub.store->load()->servers.at(0).target_url, "") << "nor does it after a restart";
    reconcile();
    hub.settle(20ms);
    EXPECT_EQ(spawner->running(), 1U) << "it goes on";
    EXPECT_EQ(route_to(kAnn), "none");
    move(kAnn, "http://127.0.0.1:7");
    EXPECT_EQ(route_to(kAnn), "http://127.0.0.1:7");
    EXPECT_FALSE(server->unreachable());
}

TEST_F(AddressTest, TheListTellsWhatNoEventTold) {
    start(kAnn);
    spawner->url = "";
    reconcile();
    hub.settle(50ms);
    EXPECT_EQ(route_to(kAnn), "none");
    spawner->url = "http://127.0.0.1:7";
    reconcile();
    hub.settle(50ms);
    EXPECT_EQ(route_to(kAnn), "http://127.0.0.1:7");
}

TEST_F(AddressTest, WhatWasSeenLastStays) {
    start(kAnn);
    const auto id = hub.servers->find(kAnn)->row.id;
    spawner->move(id, "");
    spawner->move(id, "http://127.0.0.1:7");
    spawner->move(id, "");
    hub.settle(100ms);
    EXPECT_EQ(route_to(kAnn), "none");
    EXPECT_TRUE(hub.servers->find(kAnn)->unreachable());
}

TEST_F(AddressTest, WhatBecomesOfAnOlderStartsObjectIsNoNews) {
    start(kAnn);
    const auto server = hub.servers->find(kAnn);
    server->row.generation += 1;  // as if it had been started anew
    move(kAnn, "");
    EXPECT_EQ(route_to(kAnn), hub.notebook_url());
    spawner->kill(server->row.id);
    hub.settle(50ms);
    EXPECT_TRUE(server->ready());
    EXPECT_FALSE(server->reaping);
}

TEST_F(AddressTest, AStartEndsWhenItsNetworkIsTaken) {
    spawner->url = "http://127.0.0.1:9";  // answers nobody, so the start waits
    ASSERT_TRUE(hub.begin(kAnn));
    hub.settle(50ms);
    move(kAnn, "");
    const auto started = hub.wait_started(kAnn);
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find("lost its network"), std::string::npos);
    EXPECT_TRUE(hub.wait_gone(kAnn));
    EXPECT_EQ(spawner->running(), 0U);
}

TEST_F(AddressTest, AnAddressGivenToAnotherIsNobodyElses) {
    start(kAnn);
    start(kBob);  // at the same address, as if ann's had lost it unnoticed
    EXPECT_EQ(route_to(kAnn), "none");
    EXPECT_EQ(route_to(kBob), hub.notebook_url());
}

}  // namespace
}  // namespace berth::hub
