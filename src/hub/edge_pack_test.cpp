#include "hub/edge_pack.hpp"

#include "base/json.hpp"
#include "base/random.hpp"
#include "proxy/edge_files.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace berth::hub {
namespace {

struct Packed {
    std::string path;
    std::string text;
    unsigned type = AE_IFREG;
};

class EdgePackTest : public testing::Test {
protected:
    void SetUp() override {
        folder = testing::TempDir() + "pack-" + random_hex(6);
        std::filesystem::create_directories(folder);
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    std::string tar_of(const std::vector<Packed>& files) {
        const auto path = folder + "/" + random_hex(4) + ".tar";
        auto* writer = ::archive_write_new();
        ::archive_write_set_format_pax_restricted(writer);
        EXPECT_EQ(::archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
        for (const auto& file : files) {
            auto* entry = ::archive_entry_new();
            ::archive_entry_set_pathname(entry, file.path.c_str());
            ::archive_entry_set_filetype(entry, file.type);
            ::archive_entry_set_perm(entry, 0644);
            ::archive_entry_set_size(entry, file.type == AE_IFREG ? std::ssize(file.text) : 0);
            if (file.type == AE_IFLNK) ::archive_entry_set_symlink(entry, file.text.c_str());
            ::archive_write_header(writer, entry);
            if (file.type == AE_IFREG) ::archive_write_data(writer, file.text.data(), file.text.size());
            ::archive_entry_free(entry);
        }
        ::archive_write_free(writer);
        return path;
    }
    Result<EdgePackSummary> pack(std::vector<std::string> tars, std::uint64_t most = 1 << 20) const {
        return write_edge_pack({std::move(tars), folder, most});
    }
    proxy::EdgeFilesPtr loaded() const {
        auto files = proxy::EdgeFiles::load(folder, 1 << 20);
        EXPECT_TRUE(files) << files.error().message;
        return files ? *files : nullptr;
    }
    std::string folder;
};

TEST(EdgePathOf, IsWhereANotebookServerAnswersForTheFile) {
    EXPECT_EQ(edge_path_of("static/3.0123456789abcdef.js"), "static/lab/3.0123456789abcdef.js");
    EXPECT_EQ(
        edge_path_of("labextensions/@x/y/static/3.0123456789abcdef.js"),
        "lab/extensions/@x/y/static/3.0123456789abcdef.js");
    for (const auto* none :
         {"static/index.html",
          "labextensions/x/3.0123456789abcdef.js",
          "other/0123456789abcdef.js",
          "static/../../0123456789abcdef.js",
          "/static/0123456789abcdef.js"})
        EXPECT_EQ(edge_path_of(none), "") << none;
}

TEST_F(EdgePackTest, WritesWhatTheProxyReads) {
    const std::string script(5000, 'x');
    const auto lab = tar_of(
        {{"static/", "", AE_IFDIR},
         {"static/main.0123456789abcdef.js", script},
         {"static/0123456789abcdef.woff2", "font"},
         {"static/index.html", "no hash"},
         {"static/1.0123456789abcdef.js", "/etc/passwd", AE_IFLNK},
         {"static/2.0123456789abcdef.js.map", "no such kind"}});
    const auto again = tar_of({{"static/main.0123456789abcdef.js", "another Lab"}});
    const auto packed = pack({lab, again});
    ASSERT_TRUE(packed) << packed.error().message;
    EXPECT_EQ(packed->files, 2U);
    const auto files = loaded();
    const auto* main = files->find("static/lab/main.0123456789abcdef.js", "");
    ASSERT_NE(main, nullptr);
    EXPECT_TRUE(main->plain.empty());
    EXPECT_TRUE(main->gzip.starts_with("\x1f\x8b"));
    EXPECT_LT(main->brotli.size(), 100U);
    EXPECT_EQ(main->digest, sha256_hex(script).substr(0, 32)) << "the first of two alike counts";
    EXPECT_EQ(files->find("static/lab/0123456789abcdef.woff2", "")->plain, "font");
    EXPECT_EQ(files->find("static/lab/1.0123456789abcdef.js", ""), nullptr) << "links lead anywhere";
}

TEST_F(EdgePackTest, StaysWithinItsBound) {
    std::string noise;
    while (noise.size() < 3000)
        noise += random_hex(32);
    const auto packed = pack(
        {tar_of({{"static/a.0123456789abcdef.woff", noise}, {"static/b.0123456789abcdef.woff", noise}})},
        4000);
    ASSERT_TRUE(packed);
    EXPECT_EQ(packed->files, 1U);
    EXPECT_EQ(packed->left_out, 1U);
    EXPECT_LE(packed->bytes, 4000U);
}

TEST_F(EdgePackTest, SaysWhatIsWrong) {
    EXPECT_TRUE(pack({}).error().is(EdgePackErrc::nothing_found));
    EXPECT_TRUE(pack({folder + "/none.tar"}).error().is(EdgePackErrc::unreadable));
    std::ofstream(folder + "/bad.tar") << std::string(2000, 'z');
    EXPECT_TRUE(pack({folder + "/bad.tar"}).error().is(EdgePackErrc::unreadable));
    auto cut = tar_of({{"static/main.0123456789abcdef.js", std::string(50'000, 'x')}});
    std::filesystem::resize_file(cut, 20'000);
    EXPECT_TRUE(pack({cut}).error().is(EdgePackErrc::unreadable));
}

}  // namespace
}  // namespace berth::hub
