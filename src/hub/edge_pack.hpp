// Makes what proxy/edge_files.hpp reads: picks the static files with content hashes out of tars of an image's
// Jupyter folders and compresses each once. Blocking; runs on a thread of the pool.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::hub {

enum class EdgePackErrc { unreadable = 1, unwritable, nothing_found };
std::string_view text_of(EdgePackErrc reason);
BERTH_ERROR_CATEGORY(EdgePackErrc, "edge_pack")

struct EdgePackRequest {
    std::vector<std::string>
        tars;            // of ".../lab/static" and ".../labextensions"; of two alike the first counts
    std::string folder;  // exists; gets index.json and pack
    std::uint64_t most_bytes = 0;  // of the pack; files beyond are left out
};
struct EdgePackSummary {
    std::size_t files = 0;
    std::uint64_t bytes = 0;
    std::size_t left_out = 0;  // too large, or no room
};
// Errors: unreadable, unwritable, nothing_found.
Result<EdgePackSummary> write_edge_pack(const EdgePackRequest& request);

// Where a file of such a tar is asked for, below a server's prefix: "static/3.ab….js" of Lab's folder is
// "static/lab/3.ab….js". "" for what the edge cache does not hold.
std::string edge_path_of(std::string_view path_in_tar);

}  // namespace berth::hub
