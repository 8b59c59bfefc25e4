// The static files of one image that the proxy may answer in a server's place: hub/edge_pack.hpp wrote them
// from the image itself, compressed, into a folder of index.json and pack. Nothing here was ever served by a
// container, so no user can put a byte into it. Read once into memory, then never changed; shared by all
// workers. Only names that hold a hash of their content are in it, so a server with other files has other
// names, which are passed on to it.
#pragma once

#include "base/result.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace berth::proxy {

enum class EdgeErrc { unusable = 1, too_large };
std::string_view text_of(EdgeErrc reason);
BERTH_ERROR_CATEGORY(EdgeErrc, "edge_files")

inline constexpr int kEdgeFormat = 1;

// "static/lab/main.0f3c….js", "lab/extensions/@x/y/static/568.1e2f….js": below `static/`, with a content hash
// of at least 16 hex digits in the file's name.
bool is_edge_path(std::string_view path);

struct EdgeFile {
    std::string path;                      // below the server's prefix
    std::string type;                      // Content-Type
    std::string digest;                    // of its bytes
    std::string_view plain, gzip, brotli;  // empty: not kept in that coding
};

class EdgeFiles {
public:
    // Errors: unusable (message names the folder), too_large when it holds more than `most` bytes.
    static Result<std::shared_ptr<const EdgeFiles>> load(const std::string& folder, std::size_t most);

    // `query`: with its '?', or empty; anything but a lone version ("?v=…") is the server's to answer.
    const EdgeFile* find(std::string_view path, std::string_view query) const;
    std::size_t bytes() const { return pack_.size(); }
    std::size_t size() const { return files_.size(); }

    // What a page of Lab asks for when it opens, learned from the pages that did: requests within seconds of
    // the page's first script. `prefetched`: the pending page asked, which proves no need.
    void note(const EdgeFile& file, std::string_view query, bool prefetched, std::int64_t now_ms) const;
    // Paths with their query, first things first: what is known by name, then what was learned; at most 200,
    // small ones left out.
    std::vector<std::string> first_files() const;

private:
    EdgeFiles() = default;
    Result<void> read_index(const std::string& folder);
    void read_learned(const std::string& folder);

    std::string pack_;
    std::vector<EdgeFile> files_;
    std::map<std::string_view, std::size_t, std::less<>> by_path_;
    std::vector<std::string> known_;  // always first: Lab's own scripts
    std::unique_ptr<std::atomic<bool>[]> asked_;
    mutable std::atomic<std::int64_t> page_opened_{0};
    mutable std::mutex mutex_;  // guards learned_
    mutable std::vector<std::string> learned_;
};
using EdgeFilesPtr = std::shared_ptr<const EdgeFiles>;

// Images in memory, each once, all together within a bound. One that no route names stays until the room is
// needed: its next server is started soon, and what was learned of it is kept. Control thread only.
class EdgeShelf {
public:
    void allow(std::size_t most_bytes) { most_ = most_bytes; }
    // Null when the cache is off or the folder cannot be used, which is logged: its server then answers all.
    EdgeFilesPtr get(const std::string& folder);

private:
    std::size_t make_room(const std::string& folder);

    std::size_t most_ = 0;
    std::map<std::string, EdgeFilesPtr, std::less<>> loaded_;
};

}  // namespace berth::proxy
