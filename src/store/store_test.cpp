// The store against a real SQLite file: what is acknowledged is there, what is refused is not.
#include "store/store.hpp"

#include "async/run_to_end.hpp"
#include "base/random.hpp"
#include "store/impl/transaction.hpp"
#include "store/queries.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace berth::store {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kNow{1'767'323'045'678'901us};

class StoreTest : public testing::Test {
protected:
    StoreTest()
        : dir_((std::filesystem::temp_directory_path() / ("berth-store-" + random_hex(8))).string()) {}
    ~StoreTest() override {
        store_.reset();
        std::filesystem::remove_all(dir_);
    }

    void open() {
        store_.reset();
        auto opened = Store::open(dir_);
        ASSERT_TRUE(opened) << opened.error().message << " " << opened.error().detail;
        store_ = std::move(*opened);
    }

    static awaitable<> commit_one(Store& store, Change change, Result<void>& answer) {
        answer = co_await store.commit(std::move(change));
    }
    Result<void> commit(Change change) { return run_to_end(store_->commit(std::move(change))); }
    Result<void> read(Change query) { return run_to_end(store_->read(std::move(query))); }
    // All of them wait at once, so they share batches.
    std::vector<Result<void>> commit_together(std::vector<Change> changes) {
        std::vector<Result<void>> answers(changes.size());
        std::vector<awaitable<>> works;
        for (std::size_t n = 0; n < changes.size(); ++n)
            works.push_back(commit_one(*store_, std::move(changes[n]), answers[n]));
        run_all_to_end(std::move(works));
        return answers;
    }
    Snapshot load() {
        auto snapshot = store_->load();
        EXPECT_TRUE(snapshot);
        return snapshot ? std::move(*snapshot) : Snapshot{};
    }

    std::string dir_;
    std::unique_ptr<Store> store_;
};

UserRow user(std::int64_t id, const std::string& name) {
    UserRow row;
    row.id = UserId{id};
    row.name = UserName(name);
    row.created = kNow;
    row.cookie_id = "cookie-" + name;
    return row;
}

ServerRow server(std::int64_t id, std::int64_t owner, const std::string& name) {
    ServerRow row;
    row.id = ServerId{id};
    row.user = UserId{owner};
    row.name = ServerName(name);
    return row;
}

LeaseRow lease(std::int64_t id, bool exclusive, std::vector<std::string> devices) {
    LeaseRow row;
    row.id = LeaseId{id};
    row.exclusive = exclusive;
    row.created = kNow;
    for (auto& each : devices)
        row.devices.emplace_back(std::move(each));
    return row;
}

template <class Row>
Change inserting(Row row) {
    return [row](Transaction& tx) { insert(tx, row); };
}

TEST_F(StoreTest, EveryRowComesBackAsItWasWritten) {
    open();
    auto ann = user(1, "änn@uni");
    ann.admin = true;
    ann.last_activity = kNow + 1s;
    ann.password_hash = "$argon2id$x";
    ann.user_info = json::object{{"display_name", "Ann"}};
    GroupRow group{GroupId{2}, GroupName("lab"), json::object{{"quota", 3}}, {UserId{1}}};
    ServiceRow service{
        ServiceId{3},
        ServiceName("ops"),
        true,
        "http://x",
        json::object{{"a", 1}},
        false,
        true,
        "service-ops"};
    RoleRow role{
        RoleId{4}, "viewer", "sees", {"list:users"}, true, {UserId{1}}, {GroupId{2}}, {ServiceId{3}}};
    auto gpu = server(5, 1, "gpu");
    gpu.display_name = "My GPU";
    gpu.user_options = json::object{{"profile", "big"}};
    gpu.lifecycle = Lifecycle::ready;
    gpu.generation = 7;
    gpu.spawner = "docker";
    gpu.spawn_plan = json::object{{"image", "x"}};
    gpu.spawn_state = json::object{{"id", "abc"}};
    gpu.target_url = "http://172.18.0.2:8888";
    gpu.profile = "big";
    gpu.started = kNow;
    gpu.last_activity = kNow + 2s;
    gpu.failure = "none";
    gpu.stopped_because = "idle";
    gpu.keep_count = 2;
    gpu.kept_until = gpu.started;
    TokenRow token{
        TokenId{6},
        UserId{1},
        std::nullopt,
        "hash",
        "jupyterhub",
        "session",
        {"inherit"},
        "note",
        kNow,
        kNow + 1s,
        kNow + 2s,
        ServerId{5}};
    OAuthClientRow client{
        "jupyterhub-user-ann",
        "Server",
        "secret",
        "/user/ann/oauth_callback",
        {"access:servers"},
        ServerId{5},
        std::nullopt};
    OAuthCodeRow code{
        "code", "jupyterhub-user-ann", UserId{1}, "session", "/cb", {"s"}, kNow, "challenge", "S256"};
    SessionRow session{"shash", UserId{1}, kNow, kNow + 1s, "10.0.0.1", "agent"};
    InviteRow invite{"ihash", std::nullopt, kNow, kNow + 1h};
    DeviceRow device{DeviceUuid("GPU-a"), 3, "H100", 80ULL << 30, "00:1", "nvml", 4, true};
    auto held = lease(8, false, {"GPU-b", "GPU-a"});
    held.user = UserId{1};
    held.server = ServerId{5};
    held.generation = 7;
    held.state = LeaseState::active;
    held.container = "berth-ann--gpu";
    held.expires_at = kNow + 1h;
    held.profile = "big";
    held.project = "thesis";
    QueueEntryRow entry{9, UserId{1}, ServerId{5}, json::object{{"gpus", 2}}, -1, kNow};
    ASSERT_TRUE(commit([&](Transaction& tx) {
        insert(tx, ann);
        insert(tx, group);
        upsert(tx, service);
        upsert(tx, role);
        insert(tx, gpu);
        insert(tx, token);
        upsert(tx, client);
        insert(tx, code);
        insert(tx, session);
        insert(tx, invite);
        upsert(tx, device);
        insert(tx, held);
        insert(tx, entry);
        insert(
            tx,
            UsageIntervalRow{10, LeaseId{8}, DeviceUuid("GPU-a"), UserId{1}, 0.5, kNow, std::nullopt, ""});
    }));

    open();
    const auto read = load();
    ASSERT_EQ(read.users.size(), 1U);
    EXPECT_EQ(read.users[0].name.value, "änn@uni");
    EXPECT_TRUE(read.users[0].admin);
    EXPECT_EQ(read.users[0].created, kNow);
    EXPECT_EQ(read.users[0].last_activity, ann.last_activity);
    EXPECT_EQ(read.users[0].password_hash, ann.password_hash);
    EXPECT_EQ(read.users[0].user_info, ann.user_info);
    EXPECT_EQ(read.groups.at(0).properties, group.properties);
    EXPECT_EQ(read.groups.at(0).members, group.members);
    EXPECT_EQ(read.services.at(0).info, service.info);
    EXPECT_FALSE(read.services.at(0).display);
    EXPECT_EQ(read.services.at(0).oauth_client_id, "service-ops");
    EXPECT_EQ(read.roles.at(0).scopes, role.scopes);
    EXPECT_EQ(read.roles.at(0).users, role.users);
    EXPECT_EQ(read.roles.at(0).groups, role.groups);
    EXPECT_EQ(read.roles.at(0).services, role.services);
    ASSERT_EQ(read.servers.size(), 1U);
    const auto& back = read.servers[0];
    EXPECT_EQ(back.name, gpu.name);
    EXPECT_EQ(back.display_name, gpu.display_name);
    EXPECT_EQ(back.user_options, gpu.user_options);
    EXPECT_EQ(back.lifecycle, Lifecycle::ready);
    EXPECT_EQ(back.generation, 7);
    EXPECT_EQ(back.spawn_plan, gpu.spawn_plan);
    EXPECT_EQ(back.spawn_state, gpu.spawn_state);
    EXPECT_EQ(back.target_url, gpu.target_url);
    EXPECT_EQ(back.started, gpu.started);
    EXPECT_EQ(back.last_activity, gpu.last_activity);
    EXPECT_EQ(back.failure, gpu.failure);
    EXPECT_EQ(back.stopped_because, gpu.stopped_because);
    EXPECT_EQ(back.keep_count, gpu.keep_count);
    EXPECT_EQ(back.kept_until, gpu.kept_until);
    ASSERT_EQ(read.tokens.size(), 1U);
    EXPECT_EQ(read.tokens[0].hashed, "hash");
    EXPECT_EQ(read.tokens[0].scopes, token.scopes);
    EXPECT_EQ(read.tokens[0].expires_at, token.expires_at);
    EXPECT_EQ(read.tokens[0].server, token.server);
    EXPECT_FALSE(read.tokens[0].service);
    EXPECT_EQ(read.oauth_clients.at(0).allowed_scopes, client.allowed_scopes);
    EXPECT_EQ(read.oauth_codes.at(0).code_challenge, code.code_challenge);
    EXPECT_EQ(read.sessions.at(0).user_agent, "agent");
    EXPECT_FALSE(read.invites.at(0).user);
    EXPECT_EQ(read.devices.at(0).memory_bytes, 80ULL << 30);
    EXPECT_TRUE(read.devices.at(0).cordoned);
    ASSERT_EQ(read.leases.size(), 1U);
    EXPECT_EQ(read.leases[0].devices, held.devices) << "in the order of the lease";
    EXPECT_EQ(read.leases[0].state, LeaseState::active);
    EXPECT_EQ(read.leases[0].container, held.container);
    EXPECT_FALSE(read.leases[0].exclusive);
    EXPECT_EQ(read.leases[0].profile, "big");
    EXPECT_EQ(read.leases[0].project, "thesis");
    EXPECT_EQ(read.queue.at(0).request, entry.request);
    EXPECT_EQ(read.next_id, 11);
}

TEST_F(StoreTest, AnIdIsNeverGivenTwiceEvenWhenItsRowIsGone) {
    open();
    ASSERT_TRUE(commit(inserting(user(41, "ann"))));
    ASSERT_TRUE(commit([](Transaction& tx) { remove_user(tx, UserId{41}); }));
    open();
    EXPECT_EQ(load().next_id, 42);
}

TEST_F(StoreTest, ARefusedChangeTakesNoOtherAlong) {
    open();
    std::vector<Change> changes;
    for (std::int64_t n = 1; n <= 50; ++n)
        changes.push_back(inserting(user(n, n % 10 == 0 ? "same" : "user" + std::to_string(n))));
    // Half done, then refused: nothing of it may stay.
    changes.push_back([](Transaction& tx) {
        insert(tx, user(90, "half"));
        insert(tx, user(91, "same"));
    });
    const auto answers = commit_together(std::move(changes));
    std::size_t refused = 0;
    for (const auto& answer : answers)
        if (!answer) {
            ++refused;
            EXPECT_TRUE(answer.error().is(StoreErrc::constraint));
        }
    EXPECT_EQ(refused, 5U);
    open();
    const auto read = load();
    EXPECT_EQ(read.users.size(), 46U);
    for (const auto& each : read.users)
        EXPECT_NE(each.name.value, "half");
}

TEST_F(StoreTest, AThrowingChangeIsRefusedAlone) {
    open();
    std::vector<Change> changes{
        inserting(user(1, "ann")),
        [](Transaction& tx) {
            insert(tx, user(2, "bob"));
            throw std::runtime_error("a bug");
        },
        inserting(user(3, "eve"))};
    const auto answers = commit_together(std::move(changes));
    EXPECT_TRUE(answers[0]);
    EXPECT_FALSE(answers[1]);
    EXPECT_TRUE(answers[2]);
    EXPECT_EQ(load().users.size(), 2U);
}

TEST_F(StoreTest, AFullDiskRefusesTheWholeBatchAndTheNextOneWorks) {
    open();
    ASSERT_TRUE(commit(inserting(user(1, "ann"))));
    ASSERT_TRUE(read([](Transaction& tx) { tx.connection().execute_once("pragma max_page_count = 1"); }));
    auto large = user(2, "large");
    large.user_info = std::string(1 << 20, 'x');
    const auto answers = commit_together({inserting(user(3, "small")), inserting(large)});
    EXPECT_FALSE(answers[1]);
    EXPECT_TRUE(answers[1].error().is(StoreErrc::unavailable));
    EXPECT_NE(answers[1].error().message.find("disk"), std::string::npos) << answers[1].error().message;
    ASSERT_TRUE(
        read([](Transaction& tx) { tx.connection().execute_once("pragma max_page_count = 100000"); }));
    EXPECT_TRUE(commit(inserting(user(4, "after"))));
    open();
    for (const auto& each : load().users)
        EXPECT_NE(each.name.value, "large");
    // Acknowledged means stored, refused means not.
    const auto names = load().users;
    const auto small =
        std::find_if(names.begin(), names.end(), [](const auto& u) { return u.name.value == "small"; });
    EXPECT_EQ(small != names.end(), answers[0].has_value());
}

TEST_F(StoreTest, TheSchemaRefusesTwoHoldersOfAnExclusiveDevice) {
    open();
    ASSERT_TRUE(commit(inserting(lease(1, true, {"GPU-a"}))));
    EXPECT_FALSE(commit(inserting(lease(2, true, {"GPU-a"})))) << "exclusive beside exclusive";
    EXPECT_FALSE(commit(inserting(lease(3, false, {"GPU-b", "GPU-a"})))) << "shared beside exclusive";
    ASSERT_TRUE(commit(inserting(lease(4, false, {"GPU-b"})))) << "nothing of the refused one stayed";
    ASSERT_TRUE(commit(inserting(lease(5, false, {"GPU-b"})))) << "shared beside shared";
    EXPECT_FALSE(commit(inserting(lease(6, true, {"GPU-b"})))) << "exclusive beside shared";

    auto ended = lease(1, true, {"GPU-a"});
    ended.state = LeaseState::released;
    ended.released_at = kNow;
    ASSERT_TRUE(commit([ended](Transaction& tx) { update(tx, ended); }));
    EXPECT_TRUE(commit(inserting(lease(7, false, {"GPU-a"})))) << "free again, in the other mode";
    EXPECT_EQ(load().leases.size(), 3U) << "ended leases are not loaded";
}

TEST_F(StoreTest, RemovingAUserTakesWhatIsTheirsAndLeavesHistory) {
    open();
    ASSERT_TRUE(commit([](Transaction& tx) {
        insert(tx, user(1, "ann"));
        insert(tx, user(2, "bob"));
        insert(tx, GroupRow{GroupId{3}, GroupName("lab"), json::object(), {UserId{1}, UserId{2}}});
        insert(tx, server(4, 1, ""));
        upsert(tx, OAuthClientRow{"client-ann", "", "", "", {}, ServerId{4}, std::nullopt});
        TokenRow browser;  // bob's, for ann's server
        browser.id = TokenId{5};
        browser.user = UserId{2};
        browser.hashed = "a";
        browser.client_id = "client-ann";
        insert(tx, browser);
        TokenRow own = browser;
        own.id = TokenId{6};
        own.hashed = "b";
        own.client_id = "jupyterhub";
        insert(tx, own);
        auto held = lease(7, true, {"GPU-a"});
        held.user = UserId{1};
        insert(tx, held);
    }));
    ASSERT_TRUE(commit([](Transaction& tx) { remove_user(tx, UserId{1}); }));
    const auto read = load();
    EXPECT_EQ(read.users.size(), 1U);
    EXPECT_EQ(read.groups.at(0).members, std::vector{UserId{2}});
    EXPECT_TRUE(read.servers.empty());
    EXPECT_TRUE(read.oauth_clients.empty());
    ASSERT_EQ(read.tokens.size(), 1U);
    EXPECT_EQ(read.tokens[0].id, TokenId{6});
    EXPECT_EQ(read.leases.size(), 1U) << "a lease ends by the reaper, never by a cascade";
}

TEST_F(StoreTest, AuditIsNewestFirstAndFiltered) {
    open();
    for (const auto* target : {"ann", "bob", "ann"})
        store_->commit_later([target](Transaction& tx) {
            insert(tx, AuditRow{kNow, "user:eve", "server.start", target, "servers", "ok", ""});
        });
    std::vector<AuditRow> all;
    std::vector<AuditRow> about_ann;
    ASSERT_TRUE(read([&](Transaction& tx) {
        all = audit_records(tx, {});
        about_ann = audit_records(tx, {"user:eve", "ann", 10});
    }));
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[1].target, "bob");
    EXPECT_EQ(about_ann.size(), 2U);
}

TEST_F(StoreTest, SettingsStay) {
    open();
    EXPECT_EQ(store_->setting("cookie_secret").value(), std::nullopt);
    ASSERT_TRUE(store_->put_setting("cookie_secret", "a"));
    ASSERT_TRUE(store_->put_setting("cookie_secret", "b"));
    open();
    EXPECT_EQ(store_->setting("cookie_secret").value(), "b");
}

TEST_F(StoreTest, ASecondHubIsRefusedByName) {
    open();
    const auto second = Store::open(dir_);
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(StoreErrc::unopenable));
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos)
        << second.error().message;
    store_.reset();
    EXPECT_TRUE(Store::open(dir_));
}

TEST_F(StoreTest, SaysWhyItCannotOpen) {
    const auto nowhere = Store::open("/proc/berth/state");
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().message.find("/proc/berth/state"), std::string::npos);

    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ + "/berth.sqlite") << std::string(5000, 'x');
    const auto damaged = Store::open(dir_);
    ASSERT_FALSE(damaged);
    EXPECT_TRUE(damaged.error().is(StoreErrc::unopenable));
    EXPECT_NE(damaged.error().message.find("damaged"), std::string::npos);
}

TEST_F(StoreTest, RefusesTheDatabaseOfANewerBerth) {
    open();
    ASSERT_TRUE(commit([](Transaction& tx) {
        tx.execute(
            "insert into schema_version (version, name, applied) values (:v, 'future', 0)",
            {std::int64_t{9999}});
    }));
    store_.reset();
    const auto newer = Store::open(dir_);
    ASSERT_FALSE(newer);
    EXPECT_TRUE(newer.error().is(StoreErrc::schema_too_new));
}

TEST_F(StoreTest, TheDatabaseIsReadableByItsOwnerOnly) {
    open();
    using std::filesystem::perms;
    for (const auto* file : {"/berth.sqlite", "/berth.sqlite-wal", "/berth.lock"}) {
        const auto mode = std::filesystem::status(dir_ + file).permissions();
        EXPECT_EQ(mode & (perms::group_all | perms::others_all), perms::none) << file;
    }
}

// Processor time of the whole process: what waits for the disk or a busy machine does not count.
TEST_F(StoreTest, AThousandUsersInOneChangeTakeWellUnderATenthOfASecond) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr double kMostMilliseconds = 5000;
#else
    constexpr double kMostMilliseconds = 100;
#endif
    open();
    const auto begin = std::clock();
    ASSERT_TRUE(commit([](Transaction& tx) {
        for (std::int64_t n = 1; n <= 1000; ++n)
            insert(tx, user(n, "user" + std::to_string(n)));
    }));
    const double took = 1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    RecordProperty("milliseconds", std::to_string(took));
    EXPECT_LT(took, kMostMilliseconds);
}

}  // namespace
}  // namespace berth::store
