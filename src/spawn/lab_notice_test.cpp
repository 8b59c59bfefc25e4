#include "spawn/lab_notice.hpp"

#include "base/json.hpp"

#include <gtest/gtest.h>

namespace berth::spawn {
namespace {

TEST(LabNotice, IsAPrebuiltExtension) {
    const auto files = lab_notice_files();
    ASSERT_EQ(files.size(), 2U);
    const auto package = parse_json(files[0].text);
    ASSERT_TRUE(package);
    const auto& build = package->at("jupyterlab").at("_build");
    EXPECT_EQ("labextensions/berth-notice/" + std::string(build.at("load").as_string()), files[1].path);
    EXPECT_NE(files[1].text.find("_JUPYTERLAB[\"berth-notice\"]"), std::string_view::npos);
}

// Read as tar reads it: by the sizes in the heads, whose sums must be right.
TEST(LabNotice, TheArchiveHoldsTheFiles) {
    const auto archive = lab_notice_archive(kSystemDataFolder);
    ASSERT_EQ(archive.size() % 512, 0U);
    std::size_t at = 0;
    for (const auto& file : lab_notice_files()) {
        const std::string name = archive.c_str() + at;
        EXPECT_EQ(name, "usr/local/share/jupyter/" + std::string(file.path));
        unsigned sum = 0;
        for (std::size_t i = 0; i < 512; ++i)
            sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(archive[at + i]);
        EXPECT_EQ(std::stoul(archive.substr(at + 148, 6), nullptr, 8), sum);
        const auto size = std::stoul(archive.substr(at + 124, 11), nullptr, 8);
        EXPECT_EQ(archive.substr(at + 512, size), file.text);
        at += 512 + (size + 511) / 512 * 512;
    }
    EXPECT_EQ(archive.substr(at), std::string(1024, '\0'));
}

}  // namespace
}  // namespace berth::spawn
