#include "spawn/lab_notice.hpp"

#include "base/assert.hpp"

#include <array>
#include <cstdio>
#include <cstring>

namespace berth::spawn {

std::string_view lab_notice_script();  // made by CMake from web/lab/notice.js

namespace {

constexpr std::string_view kPackage = R"({
  "name": "berth-notice",
  "version": "1.0.0",
  "description": "Shows in JupyterLab when the hub is about to stop this server.",
  "license": "BSD-3-Clause",
  "jupyterlab": {
    "extension": true,
    "_build": {"load": "static/notice.js", "extension": "./extension"}
  }
}
)";

constexpr std::size_t kBlock = 512;

struct Header {  // POSIX.1-1988
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
        version[2], user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
static_assert(sizeof(Header) == kBlock);

std::string header_of(const std::string& name, std::size_t size) {
    BERTH_ASSERT(name.size() < sizeof(Header::name));
    Header header{};
    std::memcpy(header.name, name.data(), name.size());
    std::snprintf(header.mode, sizeof(header.mode), "%07o", 0644U);
    std::snprintf(header.uid, sizeof(header.uid), "%07o", 0U);
    std::snprintf(header.gid, sizeof(header.gid), "%07o", 0U);
    std::snprintf(header.size, sizeof(header.size), "%011zo", size);
    std::snprintf(header.mtime, sizeof(header.mtime), "%011o", 0U);
    std::memset(header.checksum, ' ', sizeof(header.checksum));
    header.type = '0';
    std::memcpy(header.magic, "ustar", 6);
    std::memcpy(header.version, "00", 2);
    std::array<unsigned char, kBlock> bytes{};
    std::memcpy(bytes.data(), &header, kBlock);
    unsigned sum = 0;
    for (const auto byte : bytes)
        sum += byte;
    std::snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
    std::string block(kBlock, '\0');
    std::memcpy(block.data(), &header, kBlock);
    return block;
}

}  // namespace

std::vector<LabFile> lab_notice_files() {
    return {
        {"labextensions/berth-notice/package.json", kPackage},
        {"labextensions/berth-notice/static/notice.js", lab_notice_script()},
    };
}

std::string lab_notice_archive(std::string_view folder) {
    std::string archive;
    for (const auto& file : lab_notice_files()) {
        archive += header_of(std::string(folder) + "/" + std::string(file.path), file.text.size());
        archive += file.text;
        archive.append((kBlock - file.text.size() % kBlock) % kBlock, '\0');
    }
    archive.append(2 * kBlock, '\0');
    return archive;
}

}  // namespace berth::spawn
