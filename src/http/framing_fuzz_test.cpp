// Mutated messages, seeded: no crash (the sanitizers watch), and one answer however the bytes are cut.
#include "http/framing.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace berth::http {
namespace {

constexpr std::string_view kRequests[] = {
    "GET /user/a%40b/api?x=1 HTTP/1.1\r\nHost: hub:8000\r\nAccept: */*\r\n\r\n",
    "POST /hub/login HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "PUT /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
    "GET /w HTTP/1.1\r\nHost: [::1]:1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\n\r\n",
};
constexpr std::string_view kResponses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.0 304 Not Modified\r\nConnection: keep-alive\r\n\r\n",
};
constexpr std::string_view kSplices[] = {
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0",
    "ffffffffffffffff",
    "Content-Length: 7\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Host: x\r\n",
    "HTTP/1.0",
    "\x80",
    "[",
    "//",
    "0\r\n\r\n",
};

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return static_cast<std::size_t>(random() % limit);
}

std::string mutated(std::string text, Random& random) {
    for (std::size_t change = 1 + below(random, 4); change > 0; --change) {
        const std::size_t at = below(random, text.size() + 1);
        switch (random() % 5) {
            case 0:
                text.insert(at, kSplices[below(random, std::size(kSplices))]);
                break;
            case 1:
                text.erase(at, 1 + below(random, 4));
                break;
            case 2:
                if (at < text.size()) text[at] = static_cast<char>(random() % 256);
                break;
            case 3:
                if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << (random() % 8)));
                break;
            default:
                text.insert(at, text.substr(below(random, text.size() + 1), 1 + below(random, 30)));
                break;
        }
    }
    return text;
}

std::string body_seen(std::string_view bytes, BodyFraming body, std::size_t fragment) {
    if (body.kind != BodyKind::chunked) return "";
    std::string payload;
    ChunkScanner scanner;
    std::size_t used = 0;
    while (used < bytes.size()) {
        auto piece = bytes.substr(used, fragment);
        while (!piece.empty()) {
            const auto step = scanner.next(piece);
            if (!step) return "refused " + std::to_string(step.error().code.value());
            payload += step->payload;
            used += step->consumed;
            if (step->done) return "done " + std::to_string(used) + " " + payload;
            EXPECT_GT(step->consumed, 0U);
            piece.remove_prefix(step->consumed);
        }
    }
    return "more " + payload;
}

// Everything that a caller could decide on, as one text.
template <class Head, class Read>
std::string message_seen(std::string_view text, std::size_t fragment, Read read) {
    Head head;
    for (std::size_t have = std::min(fragment, text.size());; have = std::min(have + fragment, text.size())) {
        // A copy of just these bytes, so that a read past their end is an error to the sanitizer.
        const std::vector<char> bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(have));
        const auto result = read(std::string_view(bytes.data(), bytes.size()), head);
        if (!result) return "refused " + std::to_string(result.error().code.value());
        if (*result == HeadProgress::complete) {
            std::string seen = std::to_string(head.bytes) + " " +
                               std::to_string(static_cast<int>(head.body.kind)) + " " +
                               std::to_string(head.body.length) + " " + std::to_string(head.keep_alive);
            for (const auto& field : head.fields) {
                seen.append("\n").append(field.name).append(":").append(field.value);
                EXPECT_EQ(field.value.find_first_of("\r\n"), std::string_view::npos);
            }
            return seen + "\n" + body_seen(text.substr(head.bytes), head.body, fragment);
        }
        if (have == text.size()) return "incomplete";
    }
}

template <class Head, class Read>
void expect_one_answer(const std::string& text, Random& random, Read read) {
    const auto whole = message_seen<Head>(text, text.size() + 1, read);
    for (const std::size_t fragment : {std::size_t{1}, 2 + below(random, 30)}) {
        ASSERT_EQ(message_seen<Head>(text, fragment, read), whole)
            << testing::PrintToString(text) << " by " << fragment;
    }
}

TEST(FramingFuzz, GivesOneAnswerHoweverTheBytesAreCut) {
    const HeadLimits limits{160, 6};
    const auto request = [&](std::string_view data, RequestHead& head) {
        return read_request_head(data, limits, head);
    };
    const auto response = [&](std::string_view data, ResponseHead& head) {
        return read_response_head(data, limits, AnswersHead::no, head);
    };
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const auto base = kRequests[below(random, std::size(kRequests))];
        expect_one_answer<RequestHead>(mutated(std::string(base), random), random, request);
        const auto answer = kResponses[below(random, std::size(kResponses))];
        expect_one_answer<ResponseHead>(mutated(std::string(answer), random), random, response);
        if (HasFatalFailure()) return;
    }
}

// What was accepted says one thing about its length: the fields that a second parser would go by agree with
// `body`.
TEST(FramingFuzz, AcceptsNothingThatTwoParsersCouldCutDifferently) {
    std::size_t accepted = 0;
    for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
        Random random(seed);
        const auto text = mutated(std::string(kRequests[below(random, std::size(kRequests))]), random);
        RequestHead head;
        const auto result = read_request_head(text, HeadLimits{}, head);
        if (!result || *result != HeadProgress::complete) continue;
        ++accepted;
        const auto lower = [](std::string_view view) {
            std::string out(view);
            for (char& c : out)
                c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            return out;
        };
        const auto written = lower(std::string_view(text).substr(0, head.bytes));
        std::size_t codings = 0;
        std::size_t lengths = 0;
        for (const auto& field : head.fields) {
            codings += lower(field.name).find("transfer-encoding") != std::string::npos ? 1U : 0U;
            lengths += lower(field.name) == "content-length" ? 1U : 0U;
        }
        SCOPED_TRACE("seed " + std::to_string(seed) + " " + testing::PrintToString(text));
        EXPECT_LE(lengths, 1U);
        EXPECT_TRUE(lengths == 0 || head.body.kind != BodyKind::chunked);
        EXPECT_EQ(written.substr(written.size() - 4), "\r\n\r\n");
        EXPECT_EQ(written.find("\r\n\r\n", 2), written.size() - 4);
        EXPECT_TRUE(codings <= 1 || head.body.kind != BodyKind::chunked);
    }
    EXPECT_GT(accepted, 1000U);  // or the mutations are so wild that nothing is tested
}

}  // namespace
}  // namespace berth::http
