#include "hub/edge_cache.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "hub/edge_pack.hpp"
#include "hub/reaper.hpp"
#include "obs/log.hpp"
#include "proxy/route_table.hpp"
#include "spawn/environment.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace berth::hub {

using namespace std::chrono_literals;
namespace files = std::filesystem;

namespace {

constexpr auto kReadingTime = 120s;
constexpr auto kAnnounceTime = 500ms;  // a start is not kept waiting for it
constexpr auto kPassLife = 8h;
constexpr std::uint64_t kMostTarBytes = 512ULL * 1024 * 1024;  // of one folder of an image
constexpr std::size_t kMostImages = 64;                        // of which names are remembered
constexpr std::string_view kUsualRoots[] = {"/usr/local", "/opt/conda", "/opt/venv", "/usr"};

// "sha256:ab…" -> "ab…": a folder's name, and nothing that could be another path.
std::string name_of(std::string_view image_id) {
    const auto name = image_id.substr(image_id.find(':') + 1);
    const bool clean =
        name.size() >= 16 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return clean ? std::string(name.substr(0, 64)) : std::string();
}

// Where Jupyter looks: beside the programs that are found by PATH, then the usual places.
std::vector<std::string> roots_of(const spawn::ImageFacts& facts) {
    std::vector<std::string> roots;
    auto add = [&roots](std::string_view root) {
        if (std::find(roots.begin(), roots.end(), root) == roots.end()) roots.emplace_back(root);
    };
    for (const std::string_view folder : facts.program_folders) {
        if (folder.ends_with("/bin") && folder.size() > 4) add(folder.substr(0, folder.size() - 4));
    }
    for (const auto root : kUsualRoots)
        add(root);
    return roots;
}

std::uint64_t bytes_in(const files::path& folder) {
    std::error_code failure;
    const auto size = files::file_size(folder / "pack", failure);
    return failure ? 0 : size;
}

std::string key_of(std::string_view prefix) {
    const auto trimmed = proxy::trim_slashes(prefix);
    return percent_decode(trimmed).value_or(std::string(trimmed));
}

}  // namespace

EdgeCache::EdgeCache(Context& context, BlockingPool& pool, const Secret& proxy_token)
    : context_(context), pool_(pool), passes_(proxy_token), folder_(context.options.state_dir + "/edge") {
    if (!works()) return;
    std::error_code ignored;
    for (const auto& entry : files::directory_iterator(folder_, ignored)) {
        const auto name = entry.path().filename().string();
        if (files::exists(entry.path() / "index.json", ignored) && name == name_of(name)) ready_.insert(name);
    }
}

bool EdgeCache::works() const {
    return context_.options.edge_cache.enabled && context_.spawner.image_files() != nullptr;
}

std::string EdgeCache::folder_of(const std::string& image_id) const {
    const auto name = name_of(image_id);
    return ready_.contains(name) ? folder_ + "/" + name : std::string();
}

std::string EdgeCache::image_of(const Server& server) const {
    const auto* state = server.row.spawn_state.if_object();
    return state == nullptr ? std::string() : string_at(*state, spawn::kImageOfState).value_or("");
}

void EdgeCache::mark(Route& route, const Server& server) const {
    if (!works()) return;
    if (const auto folder = folder_of(image_of(server)); !folder.empty()) route.data["edge"] = folder;
}

awaitable<> EdgeCache::announce(std::shared_ptr<Server> server, std::string image) {
    const auto id = ids_.find(image);
    const auto home = context_.routes.wanted().find("/");
    if (!works() || id == ids_.end() || home == context_.routes.wanted().end()) co_return;
    Route route;
    route.data["edge"] = folder_of(id->second);
    if (route.data["edge"].as_string().empty()) co_return;
    route.data["starting"] = true;
    route.routespec = server->prefix(context_.options.base_path());
    route.target = home->second.target;
    (void)co_await context_.routes.put(std::move(route), Deadline::in(kAnnounceTime));
}

void EdgeCache::prepare(const std::string& image) {
    if (!works() || image.empty() || to_do_.size() >= kMostImages) return;
    if (std::find(to_do_.begin(), to_do_.end(), image) != to_do_.end()) return;
    to_do_.push_back(image);
    if (working_) return;
    working_ = true;
    context_.scope.spawn("edge files", OnStop::cancel, work());
}

// One image after the other: compressing takes a core for a second.
awaitable<> EdgeCache::work() {
    while (!to_do_.empty()) {
        const auto image = to_do_.front();
        const auto done = co_await fetch(image);
        if (!done && !done.error().is(spawn::SpawnErrc::image_not_found))
            log::warn(
                "edge.image_not_read",
                {{"image", image}, {"why", done.error().message}, {"detail", done.error().detail}});
        to_do_.pop_front();
    }
    working_ = false;
}

awaitable<Result<void>> EdgeCache::fetch(std::string image) {
    const auto deadline = Deadline::in(kReadingTime);
    BERTH_CO_TRY(auto facts, co_await context_.spawner.image_files()->facts(image, deadline));
    const auto name = name_of(facts.id);
    if (name.empty() || without_.contains(name)) co_return Result<void>{};
    if (ids_.size() < kMostImages || ids_.contains(image)) ids_[image] = facts.id;
    if (ready_.contains(name)) co_return Result<void>{};
    auto made = co_await make_folder(std::move(facts));
    if (!made && made.error().is(EdgePackErrc::nothing_found)) {
        without_.insert(name);
        co_return Result<void>{};
    }
    BERTH_CO_CHECK(std::move(made));
    ready_.insert(name);
    co_await mark_servers(name);
    co_return Result<void>{};
}

awaitable<Result<void>> EdgeCache::make_folder(spawn::ImageFacts facts) {
    const std::string name = name_of(facts.id);
    const std::string fresh = folder_ + "/.new";
    std::error_code failure;
    files::remove_all(fresh, failure);
    files::create_directories(fresh, failure);
    std::vector<spawn::ImageFiles::Wanted> wanted;
    for (const auto& root : roots_of(facts)) {
        for (const std::string_view part : {"lab/static", "labextensions"}) {
            std::string folder = root + "/share/jupyter/";
            folder.append(part);
            wanted.push_back({std::move(folder), fresh + "/" + std::to_string(wanted.size()) + ".tar"});
        }
    }
    BERTH_CO_TRY(
        const auto saved,
        co_await context_.spawner.image_files()->save(
            facts.id, std::move(wanted), kMostTarBytes, Deadline::in(kReadingTime)));
    EdgePackRequest request;
    request.folder = fresh;
    for (const auto& each : saved)
        request.tars.push_back(each.into);
    request.most_bytes = make_room(name);
    auto work = [request] { return write_edge_pack(request); };
    BERTH_CO_TRY(const auto packed, co_await pool_.run(std::move(work)));
    for (const auto& tar : request.tars)
        files::remove(tar, failure);
    if (!packed) co_return packed.error();
    files::rename(fresh, folder_ + "/" + name, failure);
    if (failure) co_return Error{EdgePackErrc::unwritable, fresh + " cannot be renamed.", failure.message()};
    log::info(
        "edge.image_read",
        {{"image", name},
         {"files", packed->files},
         {"bytes", packed->bytes},
         {"left_out", packed->left_out}});
    co_return Result<void>{};
}

// How much the image may take. All together stay within the bound; when less than half of it is free, images
// go that no server runs.
std::uint64_t EdgeCache::make_room(const std::string& for_image) {
    const auto most = context_.options.edge_cache.max_bytes.value_or(Bytes{}).count;
    std::set<std::string> used;
    for (const auto& server : context_.servers.all()) {
        if (server->active()) used.insert(name_of(image_of(*server)));
    }
    std::uint64_t held = 0;
    for (const auto& name : ready_)
        held += bytes_in(folder_ + "/" + name);
    for (auto each = ready_.begin(); each != ready_.end() && held > most / 2;) {
        const auto name = *each++;
        if (used.contains(name) || name == for_image) continue;
        std::error_code ignored;
        held -= bytes_in(folder_ + "/" + name);
        files::remove_all(folder_ + "/" + name, ignored);
        ready_.erase(name);
    }
    return most - std::min(most, held);
}

awaitable<> EdgeCache::mark_servers(std::string image_name) {
    for (const auto& server : context_.servers.all()) {
        if (!server->ready() || server->unreachable() || server->moving_to) continue;
        if (name_of(image_of(*server)) == image_name)
            co_await lead_to(context_, server, server->row.target_url);
    }
}

std::optional<EdgeCache::Pass> EdgeCache::pass_for(const ServerKey& key, Timestamp now) const {
    if (!works()) return std::nullopt;
    const auto life = std::chrono::duration_cast<std::chrono::seconds>(kPassLife).count();
    const auto unix_time = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    Pass pass;
    pass.path = spawn::service_prefix(context_.options.base_path(), key);
    pass.value = passes_.make(key_of(pass.path), unix_time + life);
    pass.seconds = life;
    return pass;
}

awaitable<std::vector<std::string>> EdgeCache::first_files(const ServerKey& key) {
    const auto server = context_.servers.find(key);
    if (!works() || !server) co_return std::vector<std::string>{};
    const auto prefix = server->prefix(context_.options.base_path());
    const auto route = context_.routes.wanted().find(prefix);
    const auto folder =
        route == context_.routes.wanted().end() ? std::nullopt : string_at(route->second.data, "edge");
    if (!folder) co_return std::vector<std::string>{};
    auto list = co_await context_.routes.first_files(prefix, Deadline::in(kAnnounceTime));
    if (!list) co_return std::vector<std::string>{};
    remember_first(files::path(*folder).filename().string(), *list);
    co_return std::move(*list);
}

// So that a proxy that is started again knows it. Small, and seldom: only when there is more to write.
void EdgeCache::remember_first(const std::string& image_name, const std::vector<std::string>& list) {
    if (learned_[image_name] >= list.size() || !ready_.contains(image_name)) return;
    learned_[image_name] = list.size();
    json::array all;
    for (const auto& each : list)
        all.emplace_back(each);
    const auto path = folder_ + "/" + image_name + "/first.json";
    std::ofstream file(path + ".new", std::ios::trunc);
    file << json::serialize(all);
    if (!file.flush()) return;
    std::error_code ignored;
    files::rename(path + ".new", path, ignored);
}

}  // namespace berth::hub
