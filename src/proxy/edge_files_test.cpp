#include "base/json.hpp"
#include "base/random.hpp"
#include "proxy/edge_answer.hpp"
#include "proxy/routes.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace berth::proxy {
namespace {

constexpr const char* kMain = "static/lab/main.efd36b46f3b45eb8.js";
constexpr const char* kFont = "static/lab/a009bea404f7a500.woff2";
constexpr const char* kRemote = "lab/extensions/@x/y/static/remoteEntry.5cbb9d2323598fbda535.js";

class EdgeFilesTest : public testing::Test {
protected:
    void SetUp() override {
        folder = testing::TempDir() + "edge-" + random_hex(6);
        std::filesystem::create_directories(folder);
        write("pack", "<br main><gzip main><font>" + std::string(8994, 'f') + "<br remote>");
        write("index.json", R"({"format":1,"files":[
            {"path":"static/lab/main.efd36b46f3b45eb8.js","type":"text/javascript","digest":"aa","brotli":[0,9],"gzip":[9,11]},
            {"path":"static/lab/a009bea404f7a500.woff2","type":"font/woff2","digest":"bb","plain":[20,9000]},
            {"path":"lab/extensions/@x/y/static/remoteEntry.5cbb9d2323598fbda535.js","type":"text/javascript","digest":"cc","brotli":[9020,11]}]})");
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    void write(const std::string& name, std::string_view text) const {
        std::ofstream(folder + "/" + name, std::ios::binary) << text;
    }
    EdgeFilesPtr load() const {
        auto files = EdgeFiles::load(folder, 1 << 20);
        EXPECT_TRUE(files) << files.error().message;
        return files ? *files : nullptr;
    }
    // The head of the answer and its body; "" when the request is the server's to answer.
    std::string answered(
        std::string_view fields,
        const char* path = kMain,
        std::string_view query = "",
        const char* method = "GET") {
        const auto files = load();
        const auto* file = files->find(path, query);
        if (file == nullptr) return "not kept";
        std::string text(method);
        text.append(" / HTTP/1.1\r\nHost: h\r\n").append(fields).append("\r\n");
        http::RequestHead head;
        const auto read = http::read_request_head(text, {}, head);
        EXPECT_TRUE(read && *read == http::HeadProgress::complete) << text;
        const auto answer = edge_answer(head, *file);
        if (!answer) return {};
        std::string out;
        write_edge_head(out, *file, *answer, query, KeepAlive::yes);
        return answer->status == 200 ? out.append(answer->body) : out;
    }
    std::string folder;
};

TEST(EdgePath, HoldsAHashOfItsContentBelowAStaticFolder) {
    EXPECT_TRUE(is_edge_path(kMain));
    EXPECT_TRUE(is_edge_path(kFont));
    EXPECT_TRUE(is_edge_path(kRemote));
    for (const auto* path :
         {"static/lab/style.js",
          "static/lab/index.html",
          "static/lab/3.0123456789abcde.js",
          "lab/extensions/x/0123456789abcdef.js",
          "static/lab/../0123456789abcdef.js",
          "static//0123456789abcdef.js",
          "files/0123456789abcdef.js",
          "static/lab/0123456789abcdef",
          "static/lab/0123456789ABCDEF.js",
          "voila/static/0123456789abcdef.js",
          "static/0123456789abcdef.js/x.js",
          ""})
        EXPECT_FALSE(is_edge_path(path)) << path;
}

TEST_F(EdgeFilesTest, AnswersInTheCodingThatIsWantedMost) {
    const std::string head =
        "HTTP/1.1 200 OK\r\nETag: \"aa-br\"\r\nCache-Control: public, max-age=31536000, immutable\r\n"
        "Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: "
        "frame-ancestors 'self'\r\n"
        "Content-Type: text/javascript\r\nContent-Encoding: br\r\nContent-Length: 9\r\nConnection: "
        "keep-alive\r\n\r\n";
    EXPECT_EQ(answered("Accept-Encoding: gzip, deflate, br, zstd\r\n"), head + "<br main>");
    for (const auto* gzip :
         {"gzip", "GZIP;q=0.5", "br;q=0.2, gzip;q=0.3", "br;q=0, *", "br;q=0.0, gzip", "br;q=x, gzip"})
        EXPECT_NE(
            answered(std::string("Accept-Encoding: ").append(gzip).append("\r\n")).find("<gzip main>"),
            std::string::npos)
            << gzip;
    EXPECT_NE(answered("", kFont).find("\r\n\r\n<font>"), std::string::npos);
    EXPECT_EQ(answered("", kFont).find("Content-Encoding"), std::string::npos);
}

TEST_F(EdgeFilesTest, LeavesToTheServerWhatOnlyItMayAnswer) {
    const std::string br = "Accept-Encoding: br\r\n";
    for (const auto* field :
         {"Range: bytes=0-4",
          "Authorization: token x",
          "If-Match: \"aa-br\"",
          "Connection: upgrade\r\nUpgrade: websocket"})
        EXPECT_EQ(answered(br + field + "\r\n"), "") << field;
    EXPECT_EQ(answered(br + "Content-Length: 3\r\n"), "");
    for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"})
        EXPECT_EQ(answered(br, kMain, "", method), "") << method;
    for (const auto* none : {"", "Accept-Encoding: identity\r\n", "Accept-Encoding: br;q=0, gzip;q=0\r\n"})
        EXPECT_EQ(answered(none), "") << none;
    EXPECT_EQ(answered("Accept-Encoding: identity;q=0, br\r\n", kFont), "");
    EXPECT_EQ(answered(br, "static/lab/0123456789abcdef.js"), "not kept");
    for (const auto* query : {"?token=x", "?v=1&token=x", "?v=../x", "?"})
        EXPECT_EQ(answered(br, kMain, query), "not kept") << query;
}

TEST_F(EdgeFilesTest, RevalidatesByTagAndAnswersHeadWithTheLength) {
    const std::string br = "Accept-Encoding: br\r\n";
    const auto same = answered(br + "If-None-Match: \"x\", W/\"aa-br\"\r\n");
    EXPECT_TRUE(same.starts_with("HTTP/1.1 304 Not Modified\r\n")) << same;
    EXPECT_NE(same.find("Vary: Accept-Encoding"), std::string::npos);
    for (const auto* none : {"Content-Type:", "Content-Length:", "Content-Encoding:"})
        EXPECT_EQ(same.find(none), std::string::npos) << same;
    EXPECT_TRUE(answered(br + "If-None-Match: \"aa-gzip\"\r\n").starts_with("HTTP/1.1 200"))
        << "another coding";
    EXPECT_NE(answered(br, kMain, "", "HEAD").find("Content-Length: 9\r\n"), std::string::npos);
}

TEST_F(EdgeFilesTest, IsForEverOnlyWhereAServerSaysSo) {
    const std::string br = "Accept-Encoding: br\r\n";
    EXPECT_NE(answered(br, kRemote).find("Cache-Control: no-cache\r\n"), std::string::npos);
    EXPECT_NE(answered(br, kRemote, "?v=5c").find("immutable"), std::string::npos);
}

TEST_F(EdgeFilesTest, LearnsWhatAPageAsksForAndNotWhatWasPrefetched) {
    const auto files = load();
    const auto* main = files->find(kMain, "");
    const auto* font = files->find(kFont, "");
    const auto known = files->first_files();
    ASSERT_EQ(known.size(), 1U);
    EXPECT_EQ(known[0], std::string(kMain) + "?v=efd36b46f3b45eb8");
    files->note(*font, "?v=1", false, 100'000);  // no page opened
    files->note(*main, "", true, 100'000);
    files->note(*font, "?v=1", true, 101'000);  // ahead of need
    EXPECT_EQ(files->first_files().size(), 1U);
    files->note(*font, "?v=1", false, 140'000);  // too late
    EXPECT_EQ(files->first_files().size(), 1U);
    files->note(*font, "?v=1", false, 120'000);
    files->note(*font, "?v=2", false, 121'000);
    files->note(*files->find(kRemote, ""), "", false, 121'000);  // small
    ASSERT_EQ(files->first_files().size(), 2U);
    EXPECT_EQ(files->first_files()[1], std::string(kFont) + "?v=1");
}

TEST_F(EdgeFilesTest, RemembersWhatWasLearnedAndDropsWhatIsNotKept) {
    write("first.json", R"(["static/lab/a009bea404f7a500.woff2?v=1","/etc/passwd","static/lab/x.js",3])");
    EXPECT_EQ(load()->first_files().size(), 2U);
    write("first.json", "{");
    EXPECT_EQ(load()->first_files().size(), 1U);
}

TEST_F(EdgeFilesTest, RefusesFoldersThatAreDamagedOrTooLarge) {
    EXPECT_TRUE(EdgeFiles::load(folder, 36).error().is(EdgeErrc::too_large));
    EXPECT_TRUE(EdgeFiles::load(folder + "/none", 1000).error().is(EdgeErrc::unusable));
    for (const auto* file :
         {R"({"path":"static/lab/main.efd36b46f3b45eb8.js","type":"t","digest":"aa","plain":[9030,8]})",
          R"({"path":"static/lab/main.efd36b46f3b45eb8.js","type":"t","digest":"aa","plain":[-1,2]})",
          R"({"path":"static/lab/main.efd36b46f3b45eb8.js","type":"t","digest":"aa"})",
          R"({"path":"static/lab/main.efd36b46f3b45eb8.js","type":"t\r\nX: y","digest":"aa","plain":[0,1]})",
          R"({"path":"static/lab/main.efd36b46f3b45eb8.js","type":"t","digest":"\"","plain":[0,1]})",
          R"({"path":"api/contents","type":"t","digest":"aa","plain":[0,1]})",
          "3"}) {
        write("index.json", std::string(R"({"format":1,"files":[)").append(file).append("]}"));
        EXPECT_FALSE(EdgeFiles::load(folder, 10000)) << file;
    }
    write("index.json", R"({"format":2,"files":[]})");
    EXPECT_FALSE(EdgeFiles::load(folder, 10000));
}

TEST_F(EdgeFilesTest, ARouteHasThemOnlyWhenAllowedAndImagesAreHeldOnce) {
    Routes routes;
    const json::object data{{"target", "http://h:1"}, {"edge", folder}};
    ASSERT_TRUE(routes.put("/user/ann", data));
    EXPECT_FALSE(routes.table()->find("/user/ann/lab")->edge) << "nobody allowed it";
    routes.allow_edge(10000);
    ASSERT_TRUE(routes.put("/user/ann", data));
    ASSERT_TRUE(routes.put("/user/bob", data));
    const auto first = routes.table()->find("/user/ann")->edge;
    ASSERT_TRUE(first);
    EXPECT_EQ(first, routes.table()->find("/user/bob")->edge);
    for (const auto* user : {"/user/ann", "/user/bob"})
        EXPECT_TRUE(routes.remove(user));
    ASSERT_TRUE(routes.put("/user/ann", data));
    EXPECT_EQ(first, routes.table()->find("/user/ann")->edge) << "kept for the next server";
    ASSERT_TRUE(routes.put("/user/eve", {{"target", "http://h:1"}, {"edge", folder + "x"}}));
    EXPECT_FALSE(routes.table()->find("/user/eve")->edge) << "and the server is routed all the same";
}

}  // namespace
}  // namespace berth::proxy
