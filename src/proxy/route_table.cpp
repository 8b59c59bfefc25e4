#include "proxy/route_table.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace berth::proxy {
namespace {

constexpr std::uint64_t kHashStart = 0xcbf29ce484222325U;

constexpr std::uint64_t mix(std::uint64_t hash, char c) {
    return (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;  // FNV-1a
}

// FNV's low bits are weak, and the shard is taken from them.
constexpr std::uint64_t finish(std::uint64_t hash) {
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15U;
    return hash ^ (hash >> 29);
}

std::uint64_t hash_of(std::string_view key) {
    auto hash = kHashStart;
    for (const char c : key)
        hash = mix(hash, c);
    return finish(hash);
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string_view trim_slashes(std::string_view path) {
    while (path.starts_with('/'))
        path.remove_prefix(1);
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return path;
}

const RoutePtr* RouteTable::at(std::uint64_t hash, std::string_view key) const {
    const auto& shard = shards_[hash % kShards];
    if (!shard) return nullptr;
    auto entry =
        std::lower_bound(shard->begin(), shard->end(), hash, [](const Entry& each, std::uint64_t wanted) {
            return each.hash < wanted;
        });
    for (; entry != shard->end() && entry->hash == hash; ++entry) {
        if (entry->route->key == key) return &entry->route;
    }
    return nullptr;
}

RoutePtr RouteTable::find(std::string_view decoded_path) const {
    const auto path = trim_slashes(decoded_path);
    const RoutePtr* best = at(finish(kHashStart), {});
    auto hash = kHashStart;
    std::size_t depth = 0;
    for (std::size_t i = 0; i <= path.size() && depth < max_depth_; ++i) {
        if (i == path.size() || path[i] == '/') {
            if (i == 0) break;  // the root, which has been tried
            if (const auto* found = at(finish(hash), path.substr(0, i))) best = found;
            ++depth;
        }
        if (i < path.size()) hash = mix(hash, path[i]);
    }
    return best ? *best : nullptr;
}

RoutePtr RouteTable::find_exact(std::string_view decoded_path) const {
    const auto key = trim_slashes(decoded_path);
    const auto* found = at(hash_of(key), key);
    return found ? *found : nullptr;
}

std::shared_ptr<RouteTable> RouteTable::copy_without(std::uint64_t hash, std::string_view key) const {
    auto table = std::make_shared<RouteTable>(*this);
    auto shard = std::make_shared<Shard>();
    if (const auto& old = shards_[hash % kShards]) {
        shard->reserve(old->size() + 1);
        std::copy_if(old->begin(), old->end(), std::back_inserter(*shard), [&](const Entry& each) {
            return each.hash != hash || each.route->key != key;
        });
        table->size_ -= old->size() - shard->size();
    }
    table->shards_[hash % kShards] = std::move(shard);
    return table;
}

std::shared_ptr<const RouteTable> RouteTable::with(RoutePtr route) const {
    const auto hash = hash_of(route->key);
    auto table = copy_without(hash, route->key);
    auto shard = std::make_shared<Shard>(*table->shards_[hash % kShards]);
    const auto place =
        std::lower_bound(shard->begin(), shard->end(), hash, [](const Entry& each, std::uint64_t wanted) {
            return each.hash < wanted;
        });
    table->max_depth_ = std::max(table->max_depth_, route->depth);
    shard->insert(place, Entry{hash, std::move(route)});
    table->shards_[hash % kShards] = std::move(shard);
    ++table->size_;
    return table;
}

std::shared_ptr<const RouteTable> RouteTable::without(std::string_view key) const {
    const auto trimmed = trim_slashes(key);
    return copy_without(hash_of(trimmed), trimmed);
}

void RouteTable::for_each(const std::function<void(const RoutePtr&)>& visit) const {
    for (const auto& shard : shards_) {
        if (!shard) continue;
        for (const auto& entry : *shard)
            visit(entry.route);
    }
}

std::optional<std::string_view> decode_route_path(std::string_view raw_path, std::string& scratch) {
    const bool is_plain = std::all_of(raw_path.begin(), raw_path.end(), [](char c) {
        return c != '%' && static_cast<unsigned char>(c) < 0x80;
    });
    if (is_plain) return raw_path;
    scratch.clear();
    for (std::size_t i = 0; i < raw_path.size(); ++i) {
        if (raw_path[i] != '%') {
            scratch.push_back(raw_path[i]);
            continue;
        }
        if (i + 2 >= raw_path.size()) return std::nullopt;
        const int high = hex_digit(raw_path[i + 1]);
        const int low = hex_digit(raw_path[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        scratch.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    if (!is_valid_utf8(scratch)) return std::nullopt;
    return std::string_view(scratch);
}

std::string_view strip_components(std::string_view raw_path, std::size_t depth) {
    // An escaped slash separates components too, since routes are matched on the decoded path.
    const auto separator_at = [raw_path](std::size_t i) -> std::size_t {
        if (raw_path[i] == '/') return 1;
        const bool escaped = i + 2 < raw_path.size() && raw_path[i] == '%' && raw_path[i + 1] == '2' &&
                             (raw_path[i + 2] == 'F' || raw_path[i + 2] == 'f');
        return escaped ? 3 : 0;
    };
    std::size_t i = 0;
    while (i < raw_path.size()) {
        const auto width = separator_at(i);
        if (width == 0) break;
        i += width;
    }
    if (depth == 0) return raw_path;
    for (; i < raw_path.size(); ++i) {
        if (separator_at(i) != 0 && --depth == 0) break;
    }
    const auto rest = raw_path.substr(i);
    return rest.starts_with('/') ? rest : std::string_view("/");
}

}  // namespace berth::proxy
