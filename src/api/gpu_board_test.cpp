// Usage sums, and what whom of the board is shown.
#include "api/gpu_usage.hpp"
#include "api/test_api.hpp"

#include <random>

namespace berth::api {
namespace {

using namespace std::chrono_literals;
using http::Method;
using test::body_of;
using test::TestApi;

const Timestamp kMonday{std::chrono::sys_days(std::chrono::year(2026) / 11 / 23).time_since_epoch()};

store::UsageIntervalRow interval(
    std::int64_t user, Timestamp begin, std::optional<Timestamp> end, double used, double share = 1) {
    store::UsageIntervalRow row;
    row.user = static_cast<UserId>(user);
    row.lease = static_cast<LeaseId>(user * 7 + begin.time_since_epoch().count() % 5);
    row.device = DeviceUuid("GPU-a");
    row.begin = begin;
    row.end = end;
    row.used_seconds = used;
    row.joules = used * 100;
    row.share = share;
    return row;
}

UsageKeys names(const store::UsageIntervalRow& row, const UsageKeys& by) {
    UsageKeys keys;
    for (const auto& key : by)
        keys.push_back(
            key == "user"      ? std::to_string(number_of(*row.user))
            : key == "project" ? std::to_string(number_of(row.lease) % 3)
                               : std::string());
    return keys;
}

std::map<UsageKeys, Usage> sums(
    const std::vector<store::UsageIntervalRow>& rows, UsageKeys by, Timestamp from, Timestamp to) {
    return sum_usage(rows, {by, from, to}, [&](const auto& row) { return names(row, by); });
}

TEST(GpuUsage, AWeekEndsOnSundayNight) {
    EXPECT_EQ(week_of(kMonday), kMonday);
    EXPECT_EQ(week_of(kMonday + 7 * 24h - 1s), kMonday);
    EXPECT_EQ(week_of(kMonday - 1s), kMonday - 7 * 24h);
}

TEST(GpuUsage, AnIntervalOverTwoWeeksIsInBoth) {
    const std::vector rows{interval(1, kMonday - 2h, kMonday + 6h, 4 * 3600)};
    const auto by_week = sums(rows, {"user", "week"}, kMonday - 24h, kMonday + 24h);
    ASSERT_EQ(by_week.size(), 2U);
    EXPECT_NEAR(by_week.at({"1", "2026-11-16"}).held_hours, 2, 1e-9);
    EXPECT_NEAR(by_week.at({"1", "2026-11-16"}).used_hours, 1, 1e-9);
    EXPECT_NEAR(by_week.at({"1", "2026-11-23"}).held_hours, 6, 1e-9);
    EXPECT_NEAR(by_week.at({"1", "2026-11-23"}).wasted_hours(), 3, 1e-9);
}

// I10: sums are the same by whatever they are made, and nobody used more than they held.
TEST(GpuUsage, SumsAgreeAndUsedNeverExceedsHeld) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<store::UsageIntervalRow> rows;
        for (int at = 0; at < 20; ++at) {
            const auto begin = kMonday + std::chrono::seconds(random() % (30 * 86400));
            const auto length = std::chrono::seconds(1 + random() % (9 * 86400));
            const double used =
                static_cast<double>(random() % 100) / 99.0 * static_cast<double>(length.count());
            const bool open = random() % 5 == 0;
            rows.push_back(interval(
                static_cast<std::int64_t>(random() % 4),
                begin,
                open ? std::nullopt : std::optional(begin + length),
                used,
                random() % 2 == 0 ? 1 : 0.5));
        }
        const auto from = kMonday + std::chrono::hours(random() % 200);
        const auto to = kMonday + std::chrono::hours(300 + random() % 600);
        const UsageKeys ways[] = {{"user"}, {"week"}, {"user", "week"}, {"project"}, {"project", "week"}};
        std::vector<Usage> totals;
        for (const auto& way : ways) {
            auto& total = totals.emplace_back();
            for (const auto& [keys, usage] : sums(rows, way, from, to)) {
                EXPECT_LE(usage.used_hours, usage.held_hours + 1e-9);
                total.held_hours += usage.held_hours;
                total.used_hours += usage.used_hours;
                total.joules += usage.joules;
            }
            EXPECT_NEAR(total.held_hours, totals[0].held_hours, 1e-6);
            EXPECT_NEAR(total.used_hours, totals[0].used_hours, 1e-6);
            EXPECT_NEAR(total.joules, totals[0].joules, 1);
        }
    }
}

TEST(GpuUsage, ExportsAreWellFormed) {
    const std::map<UsageKeys, Usage> one{{{"a\"b\\c\nd"}, {2, 1, 3.6e6, 4}}};
    EXPECT_EQ(
        usage_csv(one, {"user"}),
        "user,gpu_hours,used_hours,wasted_hours,energy_kwh,intervals\r\n"
        "\"a\"\"b\\c\nd\",2.000000,1.000000,1.000000,1.000000,4\r\n");
    const auto text = usage_openmetrics(one, {"user"});
    EXPECT_NE(
        text.find("# TYPE berth_gpu_usage_held_hours gauge\n# UNIT berth_gpu_usage_held_hours hours\n"),
        text.npos);
    EXPECT_NE(text.find("berth_gpu_usage_used_hours{user=\"a\\\"b\\\\c\\nd\"} 1.000000\n"), text.npos)
        << text;
    EXPECT_TRUE(text.ends_with("# EOF\n"));
}

struct BoardRights : testing::Test {
    static std::string holder_seen(TestApi& hub, const std::string& token) {
        const auto board = body_of(hub.with_token(token, Method::get, "/hub/api/berth/gpus"));
        for (const auto& device : board.at("devices").as_array()) {
            for (const auto& lease : device.at("leases").as_array())
                return lease.at("user").is_null() ? "" : std::string(lease.at("user").as_string());
        }
        return "none";
    }
    static std::string user_in_usage(TestApi& hub, const std::string& token) {
        const auto answer = body_of(hub.with_token(token, Method::get, "/hub/api/berth/gpu/usage?by=user"));
        const auto& rows = answer.at("rows").as_array();
        return rows.empty() ? "" : std::string(rows[0].at("user").as_string());
    }
    static void start(TestApi& hub) {
        hub.options.profiles.push_back({});
        hub.options.profiles.back().name = "gpu";
        hub.options.profiles.back().gpus = 1;
        for (const auto& pool : hub.options.gpu.pools)
            hub.options.profiles.back().gpu_pool = pool.name;
        hub.open_all();
        const ServerKey ann{UserName("ann"), ServerName("")};
        ASSERT_TRUE(hub.begin(ann));
        ASSERT_TRUE(*hub.wait_started(ann));
    }
};

TEST_F(BoardRights, ACountingPoolNamesNobodyButOneself) {
    TestApi hub;
    start(hub);
    EXPECT_EQ(holder_seen(hub, hub.token_of("bob")), "");
    EXPECT_EQ(holder_seen(hub, hub.token_of("ann")), "ann");
    EXPECT_EQ(holder_seen(hub, hub.admin_token()), "ann");
    EXPECT_EQ(user_in_usage(hub, hub.token_of("bob")), "");
    EXPECT_EQ(user_in_usage(hub, hub.token_of("ann")), "ann");
    EXPECT_EQ(user_in_usage(hub, hub.admin_token()), "ann");
}

TEST_F(BoardRights, AnOpenPoolNamesItsHoldersToEverybodyWhoSeesGpus) {
    auto options = test::dummy_options();
    config::GpuPool pool;
    pool.name = "shown";
    pool.devices = {"GPU-a"};
    pool.privacy = "open";
    options.gpu.pools.push_back(pool);
    TestApi hub(options);
    start(hub);
    EXPECT_EQ(holder_seen(hub, hub.token_of("bob")), "ann");
    EXPECT_EQ(user_in_usage(hub, hub.token_of("bob")), "ann");
    const auto without = hub.token_of("bob", {"read:users!user"});
    EXPECT_EQ(hub.with_token(without, Method::get, "/hub/api/berth/gpu/usage").status, 403U);
    EXPECT_EQ(hub.with_token(without, Method::get, "/hub/api/berth/gpu/events").status, 403U);
    EXPECT_EQ(hub.with_token(without, Method::get, "/hub/api/berth/gpu/history").status, 403U);
}

TEST_F(BoardRights, AsksForWhatThereIs) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("ann");
    for (const auto* query :
         {"gpu/usage?by=moon",
          "gpu/usage?by=user,user",
          "gpu/usage?by=user,week,gpu",
          "gpu/usage?format=xml",
          "gpu/usage?from=yesterday",
          "gpu/history?hours=0",
          "gpu/history?hours=9999",
          "gpu/history?hours=x"})
        EXPECT_EQ(hub.with_token(token, Method::get, std::string("/hub/api/berth/") + query).status, 400U)
            << query;
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/berth/gpu/history?hours=48").status, 200U);
}

// Follows the stream: cordons a GPU after the first piece, and revokes the token after the second.
struct Follower : http::BodyWriter {
    Follower(TestApi& api, TokenId token_id) : hub(api), token(token_id) {}
    awaitable<> write(std::string piece) override {
        all += piece;
        if (++pieces == 1) {
            const auto plan = hub.inventory->plan_cordon(DeviceUuid("GPU-a"), true);
            EXPECT_TRUE(plan);
            hub.inventory->apply_cordon(*plan);
        }
        if (pieces == 2) {
            auto revoked = co_await hub.directory->revoke_token(token);
            EXPECT_TRUE(revoked);
        }
    }
    TestApi& hub;
    TokenId token;
    std::string all;
    int pieces = 0;
};

awaitable<bool> stream(http::Response& response, http::BodyWriter& out) {
    co_await response.stream(out);
    co_return true;
}

TEST_F(BoardRights, EventsTellOfAChangeAndEndWithTheToken) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("bob");
    const auto* known = hub.directory->find_token(token, now_utc());
    ASSERT_NE(known, nullptr);
    auto response = hub.with_token(token, Method::get, "/hub/api/berth/gpu/events");
    ASSERT_EQ(response.status, 200U);
    ASSERT_EQ(response.headers.find("Content-Type"), "text/event-stream");
    Follower out(hub, known->row.id);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(hub.run(stream(response, out)));
    EXPECT_GE(out.pieces, 2);
    EXPECT_NE(out.all.find(R"(data: {"changed":["devices"]})"), std::string::npos) << out.all;
    EXPECT_EQ(out.all.find("GPU-a"), std::string::npos) << "names do not travel here";
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 6s);
}

TEST_F(BoardRights, ListenersAreBounded) {
    TestApi hub;
    hub.open_all();
    const auto token = hub.token_of("ann");
    std::vector<http::Response> open;
    for (std::size_t at = 0; at < hub::GpuFeed::kMostOfOne; ++at) {
        open.push_back(hub.with_token(token, Method::get, "/hub/api/berth/gpu/events"));
        ASSERT_EQ(open.back().status, 200U);
    }
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/berth/gpu/events").status, 429U);
    EXPECT_EQ(hub.with_token(hub.token_of("bob"), Method::get, "/hub/api/berth/gpu/events").status, 200U);
    open.pop_back();
    EXPECT_EQ(hub.with_token(token, Method::get, "/hub/api/berth/gpu/events").status, 200U);
}

}  // namespace
}  // namespace berth::api
