#include "base/files.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "base/units.hpp"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Text, EscapesNamesAsJupyterHubDoes) {
    EXPECT_EQ(url_escape_path("$p~c|a! ch@rs"), "%24p~c%7Ca%21%20ch@rs");
    EXPECT_EQ(quote("alice@uni"), "alice%40uni");
    EXPECT_EQ(container_escape("ann.b_c"), "ann-2eb-5fc");
}

TEST(Text, DecodingRefusesBrokenEscapes) {
    EXPECT_EQ(percent_decode("foo%40bar"), "foo@bar");
    EXPECT_EQ(percent_decode("%"), std::nullopt);
    EXPECT_EQ(percent_decode("%4"), std::nullopt);
    EXPECT_EQ(percent_decode("%zz"), std::nullopt);
    EXPECT_EQ(form_decode("a+b%20c%"), "a b c%");
}

TEST(Text, NearestNameNeedsToBeNear) {
    EXPECT_EQ(nearest_name("bind_ulr", {"bind_url", "state_dir"}), "bind_url");
    EXPECT_EQ(nearest_name("zebra", {"bind_url", "state_dir"}), std::nullopt);
}

TEST(Text, Utf8RefusesOverlongAndSurrogates) {
    EXPECT_TRUE(is_valid_utf8("grüße 秀樹 🙂"));
    EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
    EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
    EXPECT_FALSE(is_valid_utf8("\xE2\x82"));
}

TEST(Files, ReadsWholeOrNothing) {
    const auto status = contents_of("/proc/self/status");
    ASSERT_TRUE(status);
    EXPECT_TRUE(status->starts_with("Name:"));
    EXPECT_EQ(contents_of("/dev/null"), "");
    EXPECT_EQ(contents_of("/proc/self/status", status->size() / 2), std::nullopt);
    EXPECT_EQ(contents_of("/nowhere/at/all"), std::nullopt);
}

TEST(Files, WhatOpensAndCannotBeReadIsNoException) {
    EXPECT_EQ(contents_of("/proc/self"), std::nullopt);
}

TEST(Units, BytesReadWhatPeopleWrite) {
    EXPECT_EQ(parse_bytes("8G"), Bytes{8ULL << 30});
    EXPECT_EQ(parse_bytes("1.5 GiB"), Bytes{(3ULL << 30) / 2});
    EXPECT_EQ(parse_bytes("1048576"), Bytes{1048576});
    EXPECT_EQ(parse_bytes("8X"), std::nullopt);
    EXPECT_EQ(parse_bytes("-1"), std::nullopt);
    EXPECT_EQ(format_bytes(Bytes{8ULL << 30}), "8 GiB");
}

TEST(Units, TimesRoundTrip) {
    const auto time = parse_rfc3339("2026-01-02T03:04:05.678901Z");
    ASSERT_TRUE(time);
    EXPECT_EQ(format_rfc3339(*time), "2026-01-02T03:04:05.678901Z");
    EXPECT_EQ(parse_rfc3339("2026-01-02T05:04:05.678901+02:00"), time);
    EXPECT_EQ(parse_rfc3339("2026-01-02 03:04:05.678901"), time);
    EXPECT_EQ(parse_rfc3339("2026-13-02T03:04:05Z"), std::nullopt);
    EXPECT_EQ(parse_rfc3339("yesterday"), std::nullopt);
}

TEST(Random, Sha256MatchesFips180) {
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 7636 appendix B.
    EXPECT_EQ(
        sha256_base64url("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    EXPECT_NE(random_hex(16), random_hex(16));
}

TEST(Json, RefusesDepthAndTrailingBytes) {
    EXPECT_TRUE(parse_json(R"({"a":[1]})"));
    EXPECT_FALSE(parse_json(R"({"a":1} x)"));
    EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')));
}

}  // namespace
}  // namespace berth
