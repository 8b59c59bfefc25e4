// The routes' one writer. Its owner is the control API's thread; workers read `version()` at each request and
// fetch the table again when it moved. With a file, each change is one line written before the caller is told
// of it, so a proxy that was killed has its routes at its next start; the file is rewritten (rename) when it
// has grown.
#pragma once

#include "base/result.hpp"
#include "proxy/route_table.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace berth::proxy {

enum class RoutesErrc { missing_target = 1, file_unusable };
std::string_view text_of(RoutesErrc reason);
BERTH_ERROR_CATEGORY(RoutesErrc, "proxy_routes")

std::int64_t unix_milliseconds();

class Routes {
public:
    Routes() : table_(std::make_shared<const RouteTable>()) {}
    Routes(const Routes&) = delete;
    ~Routes();

    // Routes may name a folder of files that we answer ("edge"); without this they name it in vain.
    void allow_edge(std::size_t most_bytes) { shelf_.allow(most_bytes); }

    // Reads the routes of an earlier process and keeps writing there. Errors: file_unusable. A torn last
    // line, left by a kill, is dropped; other lines that make no sense are logged and dropped.
    Result<void> open_file(std::string path);

    // `data` is what was posted, with a "target". Errors: missing_target, TargetErrc.
    Result<void> put(std::string_view decoded_path, json::object data);
    bool remove(std::string_view decoded_path);  // false: there was none

    // From any thread.
    std::shared_ptr<const RouteTable> table() const;
    std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

private:
    Result<RoutePtr> make_route(std::string_view decoded_path, json::object data);
    void publish(std::shared_ptr<const RouteTable> table);
    void apply_line(std::string_view line);
    void record(const json::object& change);
    Result<void> rewrite_file();

    mutable std::mutex mutex_;  // guards table_
    std::shared_ptr<const RouteTable> table_;
    std::atomic<std::uint64_t> version_{1};
    std::string path_;
    int file_ = -1;
    std::size_t lines_ = 0;
    EdgeShelf shelf_;
};

}  // namespace berth::proxy
