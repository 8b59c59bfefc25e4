// The calendar feed is what RFC 5545 says, whatever the texts hold; tests/integration reads it with another
// program's parser.
#include "api/ical.hpp"

#include <gtest/gtest.h>

namespace berth::api {
namespace {

TEST(Ical, EscapesWhatEndsAValue) {
    EXPECT_EQ(calendar_text("a,b;c\\d\r\ne\x01"), "a\\,b\\;c\\\\d\\ne");
}

TEST(Ical, FoldsBetweenCharactersAtSeventyFiveOctets) {
    for (std::size_t lead = 0; lead < 8; ++lead) {
        SCOPED_TRACE(lead);
        std::string line = "SUMMARY:" + std::string(lead, 'x');
        for (int i = 0; i < 60; ++i)
            line += i % 3 == 0 ? "\u00e4" : i % 3 == 1 ? "\u20ac" : "\U0001F680";
        const auto text = folded(line);
        std::string unfolded;
        std::size_t from = 0;
        while (from < text.size()) {
            const auto end = text.find("\r\n", from);
            ASSERT_NE(end, std::string::npos);
            auto piece = text.substr(from, end - from);
            EXPECT_LE(piece.size(), 75U);
            EXPECT_NE(static_cast<unsigned char>(piece[from == 0 ? 0 : 1]) & 0xC0U, 0x80U)
                << "cut a character";
            unfolded += from == 0 ? piece : piece.substr(1);
            from = end + 2;
        }
        EXPECT_EQ(unfolded, line);
    }
    const std::string longest(75, 'a');
    EXPECT_EQ(folded(longest), std::string(longest).append("\r\n"));
}

TEST(Ical, TimesAreInUtcAndWholeSeconds) {
    const auto begin = *parse_rfc3339("2026-01-31T12:00:00Z");
    const CalendarEvent event{
        "r1@hub",
        "2 GPUs, ann",
        "",
        begin + std::chrono::milliseconds(700),
        begin,
    };
    const auto feed = calendar_of("GPUs", {event}, begin);
    EXPECT_NE(feed.find("DTSTART:20260131T120000Z\r\n"), std::string::npos) << feed;
    EXPECT_NE(feed.find("SUMMARY:2 GPUs\\, ann\r\n"), std::string::npos) << feed;
    EXPECT_EQ(feed.find("DESCRIPTION"), std::string::npos);
    EXPECT_TRUE(feed.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"));
    EXPECT_TRUE(feed.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"));
}

}  // namespace
}  // namespace berth::api
