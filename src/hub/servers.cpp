#include "hub/servers.hpp"

#include "base/assert.hpp"
#include "spawn/environment.hpp"

#include <algorithm>

namespace berth::hub {

std::optional<std::string_view> Server::pending() const {
    switch (row.lifecycle) {
        case Lifecycle::waiting:
        case Lifecycle::starting:
            return "spawn";
        case Lifecycle::stopping:
            return "stop";
        case Lifecycle::stopped:
        case Lifecycle::ready:
        case Lifecycle::failed:
            break;
    }
    return std::nullopt;
}

std::string Server::prefix(std::string_view base_path) const {
    return spawn::service_prefix(base_path, key);
}

void Server::tell(int percent, std::string message) {
    if (!steps.empty() && steps.back().message == message) return;
    steps.push_back({percent, std::move(message)});
    changed.notify_all();
}

Claim::~Claim() {
    if (servers_ == nullptr) return;
    servers_->claimed_.erase(user_);
    servers_->unclaimed_.notify_all();
}

awaitable<Claim> Servers::claim(UserName user) {
    while (claimed_.contains(user))
        co_await unclaimed_.wait();
    claimed_.insert(user);
    co_return Claim(*this, std::move(user));
}

Server& Servers::add(ServerKey key, store::ServerRow row) {
    const auto id = number_of(row.id);
    auto server = std::make_shared<Server>(key, std::move(row), executor_);
    const bool added = by_user_[key.user].emplace(key.server, server).second;
    BERTH_ASSERT(added);
    by_id_.emplace(id, server);
    const std::pair<UserId, const Server*> owned(server->row.user, server.get());
    by_owner_.insert(std::upper_bound(by_owner_.begin(), by_owner_.end(), owned), owned);
    return *server;
}

void Servers::remove(const ServerKey& key) {
    const auto server = find(key);
    if (!server) return;
    by_id_.erase(number_of(server->row.id));
    std::erase(by_owner_, std::pair<UserId, const Server*>(server->row.user, server.get()));
    const auto owner = by_user_.find(key.user);
    owner->second.erase(key.server);
    if (owner->second.empty()) by_user_.erase(owner);
    server->changed.notify_all();
}

std::shared_ptr<Server> Servers::find(const ServerKey& key) const {
    const auto owner = by_user_.find(key.user);
    if (owner == by_user_.end()) return nullptr;
    const auto server = owner->second.find(key.server);
    return server == owner->second.end() ? nullptr : server->second;
}

std::shared_ptr<Server> Servers::find(ServerId id) const {
    const auto server = by_id_.find(number_of(id));
    return server == by_id_.end() ? nullptr : server->second;
}

std::vector<std::shared_ptr<Server>> Servers::of_user(const UserName& user) const {
    std::vector<std::shared_ptr<Server>> servers;
    const auto owner = by_user_.find(user);
    if (owner == by_user_.end()) return servers;
    servers.reserve(owner->second.size());
    for (const auto& [name, server] : owner->second)
        servers.push_back(server);
    return servers;
}

std::vector<std::shared_ptr<Server>> Servers::all() const {
    std::vector<std::shared_ptr<Server>> servers;
    servers.reserve(by_id_.size());
    for (const auto& [id, server] : by_id_)
        servers.push_back(server);
    return servers;
}

std::size_t Servers::active_count() const {
    return static_cast<std::size_t>(std::count_if(
        by_id_.begin(), by_id_.end(), [](const auto& entry) { return entry.second->active(); }));
}

std::vector<UserId> Servers::owners(bool ready_only) const {
    std::vector<UserId> users;
    users.reserve(by_owner_.size());
    for (const auto& [user, server] : by_owner_) {
        if (!(ready_only ? server->ready() : server->active())) continue;
        if (users.empty() || users.back() != user) users.push_back(user);
    }
    return users;
}

void Servers::rename_user(const UserName& old_name, const UserName& new_name) {
    auto node = by_user_.extract(old_name);
    if (node.empty()) return;
    for (auto& [name, server] : node.mapped()) {
        BERTH_ASSERT(!server->active());
        server->key.user = new_name;
    }
    node.key() = new_name;
    by_user_.insert(std::move(node));
}

std::string origin_of(std::string_view url) {
    const auto authority = url.find("://");
    if (authority == std::string_view::npos) return std::string(url);
    return std::string(url.substr(0, url.find('/', authority + 3)));
}

std::string public_origin_of(const config::Options& options) {
    return origin_of(options.public_url.empty() ? options.bind_url : options.public_url);
}

}  // namespace berth::hub
