// Which target answers a path. A table never changes: `with` and `without` make a new one that shares nearly
// all of the old one, the one writer (proxy/routes.hpp) publishes it, readers keep the one they hold. Look-up
// reads each byte of the path once, allocates nothing and takes no lock. Keys are percent-decoded paths by
// components; slashes at both ends mean nothing; the longest prefix wins (hub-protocol §14.3). Pure.
#pragma once

#include "base/json.hpp"
#include "proxy/edge_files.hpp"
#include "proxy/target.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::proxy {

struct Route {
    std::string key;  // components joined by '/', no slash at either end; "" is the root
    Target target;
    json::object data;                                   // everything that was posted, `target` included
    std::size_t depth = 0;                               // components in key
    EdgeFilesPtr edge;                                   // of the server's image, where the hub named them
    mutable std::atomic<std::int64_t> last_activity{0};  // milliseconds of Unix time; written by any worker

    void touch(std::int64_t now) const { last_activity.store(now, std::memory_order_relaxed); }
};
using RoutePtr = std::shared_ptr<const Route>;

// "//user/ann/" -> "user/ann".
std::string_view trim_slashes(std::string_view path);

class RouteTable {
public:
    RoutePtr find(std::string_view decoded_path) const;  // the longest prefix; null when there is none
    RoutePtr find_exact(std::string_view decoded_path) const;

    std::shared_ptr<const RouteTable> with(RoutePtr route) const;  // added, or replacing the one of its key
    std::shared_ptr<const RouteTable> without(std::string_view key) const;
    void for_each(const std::function<void(const RoutePtr&)>& visit) const;
    std::size_t size() const { return size_; }

private:
    struct Entry {
        std::uint64_t hash = 0;
        RoutePtr route;
    };
    // Sorted by hash; a change copies one shard of many, so ten thousand routes are added in ten thousand
    // small steps.
    using Shard = std::vector<Entry>;
    static constexpr std::size_t kShards = 256;

    const RoutePtr* at(std::uint64_t hash, std::string_view key) const;
    std::shared_ptr<RouteTable> copy_without(std::uint64_t hash, std::string_view key) const;

    std::array<std::shared_ptr<const Shard>, kShards> shards_;
    std::size_t size_ = 0;
    std::size_t max_depth_ = 0;  // of any route ever added: look-ups go no deeper
};

// The path of a request target (without query), decoded for routing: the same bytes when there is nothing to
// decode, else decoded into `scratch`. Empty when an escape is broken or the result is not UTF-8.
std::optional<std::string_view> decode_route_path(std::string_view raw_path, std::string& scratch);
// What is left of the raw path after its first `depth` components; always begins with '/'.
std::string_view strip_components(std::string_view raw_path, std::size_t depth);

}  // namespace berth::proxy
