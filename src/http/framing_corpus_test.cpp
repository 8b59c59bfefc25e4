// The framing law on every case of testdata/framing, at every fragment size. What a case says is compared as
// the words that its file uses, so a failure shows both decisions.
#include "base/text.hpp"
#include "http/framing.hpp"
#include "http/impl/framing_test_support.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace berth::http {
namespace {

using test::kFragments;

constexpr std::string_view kNext = "GET /next HTTP/1.1\r\n";  // what follows must not be taken

const std::map<FramingErrc, std::string> kNames = {
    {FramingErrc::head_too_large, "head_too_large"},
    {FramingErrc::too_many_fields, "too_many_fields"},
    {FramingErrc::bare_carriage_return, "bare_carriage_return"},
    {FramingErrc::bare_line_feed, "bare_line_feed"},
    {FramingErrc::malformed_request_line, "malformed_request_line"},
    {FramingErrc::malformed_status_line, "malformed_status_line"},
    {FramingErrc::malformed_target, "malformed_target"},
    {FramingErrc::unsupported_version, "unsupported_version"},
    {FramingErrc::malformed_field_name, "malformed_field_name"},
    {FramingErrc::malformed_field_value, "malformed_field_value"},
    {FramingErrc::ambiguous_field_name, "ambiguous_field_name"},
    {FramingErrc::obsolete_folding, "obsolete_folding"},
    {FramingErrc::missing_host, "missing_host"},
    {FramingErrc::several_hosts, "several_hosts"},
    {FramingErrc::malformed_host, "malformed_host"},
    {FramingErrc::length_with_transfer_encoding, "length_with_transfer_encoding"},
    {FramingErrc::malformed_length, "malformed_length"},
    {FramingErrc::conflicting_lengths, "conflicting_lengths"},
    {FramingErrc::coding_not_chunked, "coding_not_chunked"},
    {FramingErrc::chunked_in_http_1_0, "chunked_in_http_1_0"},
    {FramingErrc::malformed_chunk_size, "malformed_chunk_size"},
    {FramingErrc::chunk_too_large, "chunk_too_large"},
    {FramingErrc::malformed_chunk_end, "malformed_chunk_end"},
    {FramingErrc::trailers_too_large, "trailers_too_large"},
};

struct Case {
    std::string kind, file, name, want, text;
};
void PrintTo(const Case& each, std::ostream* out) {
    *out << each.file << ": " << each.name;
}

// \r \n \t \v \0 \\ and \xHH; all else stands for itself.
std::string unescaped(std::string_view text) {
    constexpr std::string_view kLetters = "rntv0\\";
    constexpr std::string_view kBytes("\r\n\t\v\0\\", 6);
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\') {
            out.push_back(text[at]);
            continue;
        }
        const char letter = text.substr(++at).empty() ? ' ' : text[at];
        if (letter == 'x') {
            out.push_back(static_cast<char>(std::stoi(std::string(text.substr(at + 1, 2)), nullptr, 16)));
            at += 2;
        } else {
            out.push_back(kBytes.at(kLetters.find(letter)));
        }
    }
    return out;
}

void read_cases(const std::filesystem::path& path, std::vector<Case>& cases) {
    constexpr std::string_view kBar = " | ";
    std::ifstream file(path);
    std::string kind;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || (kind.empty() && line.front() == '#')) continue;
        if (line.front() == '[') {
            kind = line.substr(1, line.size() - 2);
            continue;
        }
        const auto name_end = line.find(kBar);
        const auto want_end = line.find(kBar, name_end + 1);
        if (want_end == std::string::npos) throw std::runtime_error(path.string() + ": " + line);
        const auto want_begin = name_end + kBar.size();
        cases.push_back(
            {kind,
             path.stem().string(),
             line.substr(0, name_end),
             unescaped(std::string_view(line).substr(want_begin, want_end - want_begin)),
             unescaped(std::string_view(line).substr(want_end + kBar.size()))});
    }
}

std::vector<Case> cases_of(std::set<std::string> kinds) {
    std::vector<Case> all;
    const auto folder = std::filesystem::path(__FILE__).parent_path() / "testdata" / "framing";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".txt") read_cases(entry.path(), all);
    }
    std::erase_if(all, [&](const Case& each) { return !kinds.contains(each.kind); });
    return all;
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
    const bool to_head = info.param.kind == "response to HEAD";
    return info.param.file + "_" + info.param.name + (to_head ? "_ToHead" : "");
}

std::string refusal(const Error& error) {
    return std::string("refused ").append(kNames.at(static_cast<FramingErrc>(error.code.value())));
}

std::string words_of(const BodyFraming& body) {
    switch (body.kind) {
        case BodyKind::none:
            return "none";
        case BodyKind::length:
            return std::string("length ").append(std::to_string(body.length));
        case BodyKind::chunked:
            return "chunked";
        case BodyKind::until_close:
            break;
    }
    return "until_close";
}

// The bytes of a case; behind a whole message, the beginning of another.
std::string input_of(const Case& each) {
    const bool is_whole = !each.want.starts_with("refused") && each.want != "waits";
    return std::string(each.text).append(is_whole ? kNext : std::string_view());
}

class RequestFraming : public testing::TestWithParam<Case> {};

TEST_P(RequestFraming, IsAsTheCaseSaysWhateverTheFragmentSize) {
    const auto input = input_of(GetParam());
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        RequestHead head;
        const auto result = test::framing_of(
            input, fragment, [&](std::string_view data) { return read_request_head(data, {}, head); });
        std::string seen = !result                               ? refusal(result.error())
                           : *result == HeadProgress::incomplete ? "waits"
                                                                 : words_of(head.body);
        if (result && *result == HeadProgress::complete) {
            if (!head.keep_alive) seen.append(", close");
            if (head.upgrade) seen.append(", upgrade");
            EXPECT_EQ(head.bytes, GetParam().text.size());
            const auto line = trim(GetParam().text).substr(0, GetParam().text.find(" HTTP/"));
            EXPECT_EQ(head.target, line.substr(line.find(' ') + 1));
        }
        EXPECT_EQ(seen, GetParam().want);
    }
}
INSTANTIATE_TEST_SUITE_P(Corpus, RequestFraming, testing::ValuesIn(cases_of({"request"})), name_of_case);

class ResponseFraming : public testing::TestWithParam<Case> {};

TEST_P(ResponseFraming, IsAsTheCaseSaysWhateverTheFragmentSize) {
    const auto input = input_of(GetParam());
    const auto answers_head = GetParam().kind == "response" ? AnswersHead::no : AnswersHead::yes;
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        ResponseHead head;
        const auto result = test::framing_of(input, fragment, [&](std::string_view data) {
            return read_response_head(data, {}, answers_head, head);
        });
        std::string seen = !result                               ? refusal(result.error())
                           : *result == HeadProgress::incomplete ? "waits"
                                                                 : words_of(head.body);
        if (result && *result == HeadProgress::complete) {
            if (!head.keep_alive) seen.append(", close");
            EXPECT_EQ(head.bytes, GetParam().text.size());
        }
        EXPECT_EQ(seen, GetParam().want);
    }
}
INSTANTIATE_TEST_SUITE_P(
    Corpus, ResponseFraming, testing::ValuesIn(cases_of({"response", "response to HEAD"})), name_of_case);

std::string scan(std::string_view input, std::size_t fragment, std::size_t& used) {
    ChunkScanner scanner;
    std::string payload = "body ";
    for (used = 0; used < input.size();) {
        const auto step = scanner.next(input.substr(used, fragment));
        if (!step) return refusal(step.error());
        payload.append(step->payload);
        used += step->consumed;
        if (step->done) return payload == "body " ? "body" : payload;
    }
    return "waits";
}

class ChunkFraming : public testing::TestWithParam<Case> {};

TEST_P(ChunkFraming, IsAsTheCaseSaysWhateverTheFragmentSize) {
    const auto input = input_of(GetParam());
    for (const std::size_t fragment : kFragments) {
        SCOPED_TRACE(fragment);
        std::size_t used = 0;
        EXPECT_EQ(scan(input, fragment, used), GetParam().want);
        if (GetParam().want.starts_with("body")) {
            EXPECT_EQ(used, GetParam().text.size());
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Corpus, ChunkFraming, testing::ValuesIn(cases_of({"chunks"})), name_of_case);

TEST(FramingCorpus, HasNoCaseTwice) {
    const auto all = cases_of({"request", "response", "response to HEAD", "chunks"});
    std::set<std::pair<std::string, std::string>> texts;
    for (const auto& each : all) {
        EXPECT_TRUE(texts.emplace(each.kind, each.text).second) << each.file << ": " << each.name;
    }
    EXPECT_GE(all.size(), 500U);  // or files were not found
}

}  // namespace
}  // namespace berth::http
