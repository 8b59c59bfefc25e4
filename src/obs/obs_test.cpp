#include "base/json.hpp"
#include "base/random.hpp"
#include "obs/impl/line.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/metrics.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace berth {
namespace {

const Timestamp kTime = *parse_rfc3339("2026-01-02T03:04:05.5Z");

TEST(Log, TextLineHasTimeLevelEventAndFields) {
    EXPECT_EQ(
        log::text_line(
            log::Level::info,
            "server.started",
            {{"user", "ann"}, {"took_seconds", 3.25}, {"n", 4}, {"ok", true}},
            kTime),
        "2026-01-02T03:04:05.500000Z info server.started user=ann took_seconds=3.25 n=4 ok=true");
}

TEST(Log, AValueCannotForgeALineOrAField) {
    EXPECT_EQ(
        log::text_line(
            log::Level::warn, "e", {{"user", "a\nerror forged x=1\x1b[31m\x7f"}, {"empty", ""}}, kTime),
        "2026-01-02T03:04:05.500000Z warn e user=\"a\\nerror forged x=1\\u001b[31m\\u007f\" empty=\"\"");
}

TEST(Log, LongValuesAreCut) {
    const auto line = log::text_line(log::Level::info, "e", {{"v", std::string(5000, 'x')}}, kTime);
    EXPECT_LT(line.size(), 1100U);
}

TEST(Log, JsonLineParsesWhateverTheBytes) {
    const auto line =
        log::json_line(log::Level::error, "e", {{"v", "\xff\"\n"}, {"d", 1.0 / 0.0}, {"i", -3}}, kTime);
    auto value = parse_json(line);
    ASSERT_TRUE(value) << line;
    EXPECT_EQ(value->at("v").as_string(), "?\"\n");
    EXPECT_TRUE(value->at("d").is_null());
    EXPECT_EQ(value->at("i").as_int64(), -3);
}

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// In a process of its own: it takes stdout and stderr with it.
TEST(Log, AFileKeepsItsSizeAndTakesWhatElseIsWritten) {
    constexpr std::size_t kMost = 10'000;
    const auto folder = std::filesystem::temp_directory_path() / ("berth-log-" + random_hex(8));
    std::filesystem::create_directories(folder);
    const auto path = folder / "proxy.log";
    const int child = ::fork();
    if (child == 0) {
        log::to_file(path, kMost);
        for (int i = 0; i < 1000; ++i)
            log::info("line.written", {{"number", i}});
        std::fprintf(stderr, "last words\n");
        std::fflush(stderr);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    const auto newest = contents(path);
    const auto older = contents(folder / "proxy.1.log");
    EXPECT_LE(newest.size(), kMost + 100);
    EXPECT_LE(older.size(), kMost);
    EXPECT_NE(newest.find("number=999\nlast words\n"), std::string::npos) << newest;
    EXPECT_NE((older + newest).find("number=900\n"), std::string::npos);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
    std::filesystem::remove_all(folder);
}

TEST(Metrics, RenderShowsEveryFamilyWithItsLabels) {
    auto& family = obs::counter("berth_test_total", "What the test counts.");
    family.with({{"kind", "a"}}).add();
    family.with({{"kind", "a"}}).add(2);
    obs::gauge("berth_test_bytes", "A size.").plain().set(7);
    obs::histogram("berth_test_seconds", "A time.", {1, 2}).plain().observe(1.5);
    EXPECT_EQ(&obs::counter("berth_test_total", "again"), &family);
    const std::string page = obs::render();
    EXPECT_NE(page.find("# HELP berth_test_total What the test counts."), std::string::npos);
    EXPECT_NE(page.find("berth_test_total{kind=\"a\"} 3"), std::string::npos) << page;
    EXPECT_NE(page.find("berth_test_bytes 7"), std::string::npos);
    EXPECT_NE(page.find("berth_test_seconds_bucket{le=\"2\"} 1"), std::string::npos);
}

TEST(Metrics, JupyterHubsNamesAreThereFromTheStart) {
    obs::jupyterhub::declare_all();
    const std::string page = obs::render();
    for (const char* name :
         {"jupyterhub_running_servers 0",
          "jupyterhub_total_users 0",
          "jupyterhub_active_users{period=\"24h\"} 0",
          "jupyterhub_server_spawn_duration_seconds_count{reason=\"\",status=\"success\"} 0",
          "jupyterhub_login_duration_seconds_count{status=\"LoginStatus.failure\"} 0"}) {
        EXPECT_NE(page.find(name), std::string::npos) << name;
    }
}

}  // namespace
}  // namespace berth
