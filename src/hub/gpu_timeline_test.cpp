// What is remembered of a device: spans that join, means that are right, gaps that stay unknown.
#include "hub/gpu_timeline.hpp"

#include <gtest/gtest.h>

namespace berth::hub {
namespace {

using namespace std::chrono_literals;

const DeviceUuid kA("GPU-a");
const Timestamp kNoon{std::chrono::hours(24 * 20000 + 12)};

struct GpuTimelineTest : testing::Test {
    GpuTimeline timeline{30s};

    void look(
        std::chrono::seconds after,
        DeviceUse use,
        std::optional<double> load = std::nullopt,
        std::optional<std::uint64_t> used = std::nullopt) {
        timeline.look({{kA, use, load, used}}, kNoon + after);
    }
    std::vector<UseSpan> spans(std::chrono::seconds to = 24h) {
        return timeline.spans(kA, kNoon - 24h, kNoon + to);
    }
};

TEST_F(GpuTimelineTest, OneUseIsOneSpanHoweverOftenItIsSeen) {
    for (int at = 0; at <= 900; at += 5)
        look(std::chrono::seconds(at), DeviceUse::busy);
    EXPECT_EQ(spans(), (std::vector<UseSpan>{{kNoon, kNoon + 900s, DeviceUse::busy}}));
    EXPECT_EQ(timeline.take_unwritten().size(), 3U) << "a row for every five minutes";
}

TEST_F(GpuTimelineTest, AnotherUseIsAnotherSpan) {
    look(0s, DeviceUse::free);
    look(5s, DeviceUse::held);
    look(10s, DeviceUse::busy);
    look(15s, DeviceUse::busy);
    EXPECT_EQ(
        spans(),
        (std::vector<UseSpan>{
            {kNoon, kNoon + 5s, DeviceUse::free},
            {kNoon + 5s, kNoon + 10s, DeviceUse::held},
            {kNoon + 10s, kNoon + 15s, DeviceUse::busy}}));
    EXPECT_EQ(timeline.spans(kA, kNoon + 7s, kNoon + 12s).size(), 2U);
    EXPECT_EQ(timeline.spans(kA, kNoon + 7s, kNoon + 12s)[0].begin, kNoon + 7s);
}

TEST_F(GpuTimelineTest, WhatNobodyWatchedIsNotKnown) {
    look(0s, DeviceUse::busy);
    look(5s, DeviceUse::busy);
    look(600s, DeviceUse::free);
    look(605s, DeviceUse::free);
    EXPECT_EQ(
        spans(),
        (std::vector<UseSpan>{
            {kNoon, kNoon + 5s, DeviceUse::busy}, {kNoon + 600s, kNoon + 605s, DeviceUse::free}}));
}

TEST_F(GpuTimelineTest, MeansAreOverTheTimeThatWasRead) {
    look(0s, DeviceUse::busy, 0.0, 0);
    look(10s, DeviceUse::busy, 1.0, 300);  // of the ten seconds before
    look(40s, DeviceUse::busy, 0.5, 100);
    look(60s, DeviceUse::held);
    const auto points = timeline.points(kA, kNoon, kNoon + 10min);
    ASSERT_EQ(points.size(), 2U);
    EXPECT_NEAR(points[0].utilisation.value(), (1.0 * 10 + 0.5 * 30) / 40, 1e-9);
    EXPECT_NEAR(points[0].used_bytes.value(), (300.0 * 10 + 100.0 * 30) / 40, 1e-6);
    EXPECT_FALSE(points[1].utilisation) << "nothing was read there";
}

TEST_F(GpuTimelineTest, RowsAreWrittenOnceAndAgainWhenTheyGrow) {
    look(0s, DeviceUse::free);
    look(5s, DeviceUse::busy);
    look(10s, DeviceUse::busy);
    EXPECT_EQ(timeline.take_unwritten().size(), 2U);
    EXPECT_TRUE(timeline.take_unwritten().empty());
    look(15s, DeviceUse::busy);
    look(20s, DeviceUse::idle);
    look(25s, DeviceUse::idle);
    const auto rows = timeline.take_unwritten();
    ASSERT_EQ(rows.size(), 2U) << "the one that grew, and the new one";
    EXPECT_EQ(rows[0].end, kNoon + 20s);
    EXPECT_EQ(rows[1].state, "idle");
    timeline.not_written(rows);
    EXPECT_EQ(timeline.take_unwritten().size(), 2U) << "the commit failed";
}

TEST_F(GpuTimelineTest, ReadsBackWhatItWrote) {
    look(0s, DeviceUse::busy, 0.5, 100);
    for (int at = 5; at <= 700; at += 5)
        look(std::chrono::seconds(at), at < 400 ? DeviceUse::busy : DeviceUse::external, 0.5, 100);
    GpuTimeline again(30s);
    again.restore(timeline.take_unwritten());
    EXPECT_EQ(again.spans(kA, kNoon, kNoon + 1h), spans());
    EXPECT_NEAR(again.points(kA, kNoon, kNoon + 10min)[1].utilisation.value(), 0.5, 1e-9);
    EXPECT_TRUE(again.take_unwritten().empty());
}

TEST_F(GpuTimelineTest, AClockThatIsSetBackLeavesNoOverlap) {
    for (int at = 0; at <= 100; at += 5)
        look(std::chrono::seconds(at), DeviceUse::busy);
    look(52s, DeviceUse::free);
    look(57s, DeviceUse::free);
    const auto now = spans();
    ASSERT_EQ(now.size(), 2U);
    EXPECT_EQ(now[0].end, kNoon + 52s);
    EXPECT_EQ(now[1], (UseSpan{kNoon + 52s, kNoon + 57s, DeviceUse::free}));
}

TEST_F(GpuTimelineTest, ForgetsWhatIsOldAndKeepsItsPlaceInTheStore) {
    for (int at = 0; at <= 900; at += 5)
        look(std::chrono::seconds(at), DeviceUse::busy);
    EXPECT_EQ(timeline.take_unwritten().size(), 3U);
    timeline.forget_before(kNoon + 301s);
    EXPECT_EQ(spans().front().begin, kNoon + 300s);
    EXPECT_TRUE(timeline.take_unwritten().empty());
    for (int at = 905; at <= 1800; at += 5)
        look(std::chrono::seconds(at), DeviceUse::busy);
    timeline.forget_before(kNoon + 901s);
    EXPECT_EQ(timeline.take_unwritten().size(), 3U) << "none of what is kept is left out";
}

TEST_F(GpuTimelineTest, AFlappingDeviceCostsNoMoreThanItsShare) {
    std::int64_t at = 0;
    for (std::size_t row = 0; row < GpuTimeline::kMostRows + 50; ++row, at += 5)
        look(std::chrono::seconds(at), row % 2 == 0 ? DeviceUse::busy : DeviceUse::idle);
    EXPECT_LE(timeline.take_unwritten().size(), GpuTimeline::kMostRows);
}

}  // namespace
}  // namespace berth::hub
