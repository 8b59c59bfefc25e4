// The small extension by which JupyterLab shows the hub's notices (web/lab/notice.js, docs/decisions/0005):
// files of a prebuilt extension that an unmodified Lab finds where it looks for such. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::spawn {

struct LabFile {
    std::string_view path;  // below a Jupyter data folder
    std::string_view text;
};
std::vector<LabFile> lab_notice_files();

// The same below `folder` as an archive (ustar), as container engines take it; world-readable, root's.
std::string lab_notice_archive(std::string_view folder);

// The data folder that every Jupyter looks into (jupyter --paths), without its first slash.
inline constexpr std::string_view kSystemDataFolder = "usr/local/share/jupyter";

}  // namespace berth::spawn
