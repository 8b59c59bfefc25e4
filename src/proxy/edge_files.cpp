#include "proxy/edge_files.hpp"

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace berth::proxy {
namespace {

constexpr std::size_t kShortestHash = 16;
constexpr std::size_t kLargestIndex = 16 * 1024 * 1024;
constexpr std::size_t kMostLearned = 200;
constexpr std::int64_t kPageOpensFor = 30'000;  // milliseconds
constexpr std::size_t kLongestQuery = 80;
// Asking ahead costs a browser some 20 ms of a core for each file, so it is done for those that are bytes to
// carry.
constexpr std::size_t kWorthAsking = 8 * 1024;

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

std::string_view name_of(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

Error unusable(const std::string& folder, std::string_view why) {
    std::string message = "The files of an image in " + folder + " cannot be used: ";
    message.append(why);
    return Error{EdgeErrc::unusable, std::move(message)};
}

// [offset, size] within the pack. False: it points outside.
bool read_slice(
    const json::object& entry, std::string_view key, std::string_view pack, std::string_view& to) {
    const auto* place = array_at(entry, key);
    if (place == nullptr) return true;
    if (place->size() != 2 || !(*place)[0].is_int64() || !(*place)[1].is_int64()) return false;
    const auto at = (*place)[0].as_int64();
    const auto size = (*place)[1].as_int64();
    if (at < 0 || size <= 0 || static_cast<std::size_t>(at) > pack.size()) return false;
    if (static_cast<std::size_t>(size) > pack.size() - static_cast<std::size_t>(at)) return false;
    to = pack.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
    return true;
}

std::optional<EdgeFile> read_file(const json::value& value, std::string_view pack) {
    const auto* entry = value.if_object();
    if (entry == nullptr) return std::nullopt;
    EdgeFile file;
    file.path = string_at(*entry, "path").value_or("");
    file.type = string_at(*entry, "type").value_or("");
    file.digest = string_at(*entry, "digest").value_or("");
    const bool whole = read_slice(*entry, "plain", pack, file.plain) &&
                       read_slice(*entry, "gzip", pack, file.gzip) &&
                       read_slice(*entry, "brotli", pack, file.brotli);
    const bool holds = !file.plain.empty() || !file.gzip.empty() || !file.brotli.empty();
    const auto clean = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"'; };
    const bool is_clean = std::all_of(file.type.begin(), file.type.end(), clean) &&
                          std::all_of(file.digest.begin(), file.digest.end(), is_hex);
    if (!whole || !holds || !is_clean || file.digest.empty() || !is_edge_path(file.path)) return std::nullopt;
    return file;
}

bool is_remote_entry(std::string_view path) {
    return name_of(path).starts_with("remoteEntry.");
}

bool is_main(std::string_view path) {
    return path.starts_with("static/lab/main.");
}

// The first script of a page: Lab asks for these each time it opens.
bool opens_page(std::string_view path) {
    return is_main(path) || is_remote_entry(path);
}

bool is_worth_asking(const EdgeFile& file) {
    return is_main(file.path) || file.plain.size() >= kWorthAsking || file.gzip.size() >= kWorthAsking;
}

// As Lab's page writes it: "main.<hash>.js?v=<hash>".
std::string with_version(std::string_view path) {
    const auto name = name_of(path);
    const auto dot = name.find('.');
    const auto hash = name.substr(dot + 1, name.find('.', dot + 1) - dot - 1);
    return std::string(path).append("?v=").append(hash);
}

}  // namespace

std::string_view text_of(EdgeErrc reason) {
    switch (reason) {
        case EdgeErrc::unusable:
            return "the files of an image are not usable";
        case EdgeErrc::too_large:
            return "the files of an image are too large together";
    }
    return "unknown";
}

bool is_edge_path(std::string_view path) {
    const bool is_extension =
        path.starts_with("lab/extensions/") && path.find("/static/") != std::string_view::npos;
    if (!path.starts_with("static/") && !is_extension) return false;
    for (const auto part : split(path, '/')) {
        if (part.empty() || part == "." || part == "..") return false;
    }
    const auto parts = split(name_of(path), '.');
    if (parts.size() < 2) return false;
    return std::any_of(parts.begin(), parts.end() - 1, [](std::string_view part) {
        return part.size() >= kShortestHash && std::all_of(part.begin(), part.end(), is_hex);
    });
}

Result<EdgeFilesPtr> EdgeFiles::load(const std::string& folder, std::size_t most) {
    std::shared_ptr<EdgeFiles> files(new EdgeFiles);
    {
        std::ifstream pack(folder + "/pack", std::ios::binary | std::ios::ate);
        if (!pack) return unusable(folder, "there is no pack.");
        if (static_cast<std::size_t>(std::max<std::streamoff>(0, pack.tellg())) > most)
            return Error{
                EdgeErrc::too_large, folder + " is left out: edge_cache.max_bytes is smaller than it."};
    }
    auto pack = contents_of(folder + "/pack", most);
    if (!pack) return unusable(folder, "the pack cannot be read.");
    files->pack_ = std::move(*pack);
    BERTH_CHECK(files->read_index(folder));
    files->read_learned(folder);
    return EdgeFilesPtr(std::move(files));
}

Result<void> EdgeFiles::read_index(const std::string& folder) {
    const auto text = contents_of(folder + "/index.json", kLargestIndex);
    const auto document = text ? parse_json(*text) : std::nullopt;
    const auto* index = document ? document->if_object() : nullptr;
    const auto* entries = index ? array_at(*index, "files") : nullptr;
    if (entries == nullptr || int_at(*index, "format") != kEdgeFormat)
        return unusable(folder, "its index is not one of ours.");
    for (const auto& entry : *entries) {
        auto file = read_file(entry, pack_);
        if (!file) return unusable(folder, "its index and its pack do not fit together.");
        files_.push_back(std::move(*file));
    }
    asked_ = std::make_unique<std::atomic<bool>[]>(files_.size());
    for (std::size_t i = 0; i < files_.size(); ++i) {
        const auto& path = files_[i].path;
        by_path_.emplace(path, i);
        if (is_main(path)) known_.insert(known_.begin(), with_version(path));
        if (path.starts_with("static/lab/jlab_core.")) known_.push_back(with_version(path));
        if (is_remote_entry(path) && is_worth_asking(files_[i]) && known_.size() < kMostLearned)
            known_.push_back(path);
    }
    return boost::system::in_place_value;
}

// What an earlier process learned, as the hub wrote it down; not there, or damaged: it is learned anew.
void EdgeFiles::read_learned(const std::string& folder) {
    const auto text = contents_of(folder + "/first.json", kLargestIndex);
    const auto document = text ? parse_json(*text) : std::nullopt;
    const auto* list = document ? document->if_array() : nullptr;
    if (list == nullptr) return;
    for (const auto& each : *list) {
        const auto* name = each.if_string();
        if (name == nullptr || learned_.size() == kMostLearned) continue;
        const std::string_view url(*name);
        const auto path = url.substr(0, url.find('?'));
        const auto* file = find(path, url.substr(path.size()));
        if (file == nullptr) continue;
        const auto at = static_cast<std::size_t>(file - files_.data());
        if (!asked_[at].exchange(true)) learned_.emplace_back(url);
    }
}

const EdgeFile* EdgeFiles::find(std::string_view path, std::string_view query) const {
    const auto found = by_path_.find(path);
    if (found == by_path_.end()) return nullptr;
    if (query.empty()) return &files_[found->second];
    const bool is_version =
        query.size() <= kLongestQuery && query.starts_with("?v=") &&
        std::all_of(query.begin() + 3, query.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        });
    return is_version ? &files_[found->second] : nullptr;
}

void EdgeFiles::note(
    const EdgeFile& file, std::string_view query, bool prefetched, std::int64_t now_ms) const {
    if (opens_page(file.path)) page_opened_.store(now_ms, std::memory_order_relaxed);
    if (prefetched || !is_worth_asking(file)) return;
    if (now_ms - page_opened_.load(std::memory_order_relaxed) > kPageOpensFor) return;
    const auto at = static_cast<std::size_t>(&file - files_.data());
    if (asked_[at].exchange(true, std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    if (learned_.size() < kMostLearned) learned_.push_back(std::string(file.path).append(query));
}

std::vector<std::string> EdgeFiles::first_files() const {
    auto all = known_;
    const std::lock_guard lock(mutex_);
    for (const auto& each : learned_) {
        if (all.size() < kMostLearned && std::find(known_.begin(), known_.end(), each) == known_.end())
            all.push_back(each);
    }
    return all;
}

EdgeFilesPtr EdgeShelf::get(const std::string& folder) {
    if (most_ == 0) return nullptr;
    if (const auto held = loaded_.find(folder); held != loaded_.end()) return held->second;
    auto files = EdgeFiles::load(folder, make_room(folder));
    if (!files) {
        log::warn("edge.not_used", {{"why", files.error().message}});
        return nullptr;
    }
    log::info("edge.loaded", {{"folder", folder}, {"files", (*files)->size()}, {"bytes", (*files)->bytes()}});
    loaded_[folder] = *files;
    return *files;
}

// The bytes that are free, after images that no route names went to make that enough.
std::size_t EdgeShelf::make_room(const std::string& folder) {
    std::error_code unknown;  // then loading fails and says why
    const auto wanted = std::filesystem::file_size(folder + "/pack", unknown);
    std::size_t used = 0;
    for (const auto& [name, files] : loaded_)
        used += files->bytes();
    for (auto each = loaded_.begin(); !unknown && each != loaded_.end() && used + wanted > most_;) {
        const bool in_use = each->second.use_count() > 1;
        if (!in_use) used -= each->second->bytes();
        each = in_use ? std::next(each) : loaded_.erase(each);
    }
    return most_ - std::min(most_, used);
}

}  // namespace berth::proxy
