#include "web/assets.hpp"

#include <algorithm>

namespace berth::web {

const Asset* find_asset(std::string_view path) {
    constexpr std::string_view kRoot = "/hub/static/";
    if (const auto root = path.find(kRoot); root != std::string_view::npos)
        path.remove_prefix(root + kRoot.size());
    const auto all = assets();
    const auto found = std::ranges::find(all, path, &Asset::path);
    return found == all.end() ? nullptr : &*found;
}

std::string asset_url(std::string_view hub_path, std::string_view name) {
    const auto all = assets();
    const auto found = std::ranges::find(all, name, &Asset::name);
    if (found == all.end()) return {};
    return std::string(hub_path) + "static/" + std::string(found->path);
}

}  // namespace berth::web
