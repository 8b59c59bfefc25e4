// The files below /hub/static/, embedded when the program is built (web/CMakeLists.txt). Read-only and shared
// by all threads. File names carry a hash of the content, so an answer may be cached for ever (`immutable`);
// the caller decides that, and must not let a 404 be cached, because during an upgrade a new page can meet an
// old hub.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace berth::web {

struct Asset {
    std::string_view name;  // as the sources call it: "app.js"
    std::string_view path;  // below /hub/static/: "app-1f3870be.js"
    std::string_view content_type;
    std::string_view sha256;  // of `bytes`, in hex: the ETag
    std::span<const unsigned char> bytes;
    std::span<const unsigned char> gzip;  // empty: not worth it
};

std::span<const Asset> assets();

// By its path below /hub/static/ ("app-1f3870be.js") or by its whole path, whatever stands before
// "/hub/static/". Plain names ("favicon.svg") are not found: they would be cached for ever under one address.
const Asset* find_asset(std::string_view path);

// {hub_path}static/{hashed name} of the file that the sources call `name`; empty when it is not built in.
std::string asset_url(std::string_view hub_path, std::string_view name);

}  // namespace berth::web
