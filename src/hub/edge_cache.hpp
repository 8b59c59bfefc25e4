// Which static files of which images the proxy may answer in a server's place, and who may have them. The
// files come out of the image itself, once, in the background (spawn/image_files.hpp, hub/edge_pack.hpp),
// into STATE/edge/{image}/; a server's route names that folder. From the start's commit on a route to the hub
// names it too, so that a browser has Lab's files while the container still boots. Hub strand only.
#pragma once

#include "async/blocking_pool.hpp"
#include "hub/context.hpp"
#include "proxy/edge_pass.hpp"
#include "spawn/image_files.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace berth::hub {

class EdgeCache {
public:
    // `proxy_token`: of the proxy's control API. All must outlive this.
    EdgeCache(Context& context, BlockingPool& pool, const Secret& proxy_token);

    // Sees to it that the image's files are there, in the background; nothing when they are, or when images
    // cannot be read. Routes of its servers follow.
    void prepare(const std::string& image);
    // Names the files of the server's image in its route, when they are there.
    void mark(Route& route, const Server& server) const;
    // The server starts from `image`: what is known of that name leads there before it answers. Best effort.
    awaitable<> announce(std::shared_ptr<Server> server, std::string image);

    struct Pass {
        std::string path;   // of the cookie: the server's prefix
        std::string value;  // "" takes it away
        std::int64_t seconds = 0;
    };
    // For a browser that may reach the server. Nothing when there is no cache.
    std::optional<Pass> pass_for(const ServerKey& key, Timestamp now) const;
    // Paths below the server's prefix of what Lab asks for first; empty when its image's files are not there.
    awaitable<std::vector<std::string>> first_files(const ServerKey& key);

private:
    bool works() const;
    std::string folder_of(const std::string& image_id) const;
    std::string image_of(const Server& server) const;
    awaitable<> work();
    awaitable<Result<void>> fetch(std::string image);
    awaitable<Result<void>> make_folder(spawn::ImageFacts facts);
    awaitable<> mark_servers(std::string image_id);
    std::uint64_t make_room(const std::string& for_image);
    void remember_first(const std::string& image_id, const std::vector<std::string>& files);

    Context& context_;
    BlockingPool& pool_;
    const proxy::EdgePasses passes_;
    std::string folder_;
    std::set<std::string> ready_;                 // ids of images whose files are there
    std::map<std::string, std::string> ids_;      // of images by name, as last seen
    std::set<std::string> without_;               // ids of images that hold no such files
    std::map<std::string, std::size_t> learned_;  // first files that are written down, by image id
    std::deque<std::string> to_do_;
    bool working_ = false;
};

}  // namespace berth::hub
