#include "api/models.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <chrono>

namespace berth::api {

UserView::UserView(const Dependencies& hub, const access::Principal& reader)
    : UserView(hub, reader.scopes()) {}

UserView::UserView(const Dependencies& hub, const access::ScopeSet& scopes)
    : hub_(hub),
      base_path_(hub.options.base_path()),
      name_{scopes.find("read:users:name")},
      all_{scopes.find("read:users")},
      groups_{scopes.find("read:users:groups")},
      activity_{scopes.find("read:users:activity")},
      roles_{scopes.find("read:roles:users")},
      servers_{scopes.find("read:servers")},
      server_state_{scopes.find("admin:server_state")},
      auth_state_{scopes.find("admin:auth_state")} {}

bool UserView::append(std::string& out, const identity::User& user, Servers servers) const {
    const auto before = out.size();
    JsonObject object(out);
    if (!append_members(object, user, servers)) {
        out.resize(before);
        return false;
    }
    object.end();
    return true;
}

bool UserView::append_members(JsonObject& object, const identity::User& user, Servers servers) const {
    const auto& directory = hub_.directory;
    const auto target = access::Target::of(user.name());
    const bool all = all_.covers(target, directory);
    const bool sees_servers = servers_.reach != nullptr && (servers_.reach->everywhere || [&] {
                                  if (servers_.covers(target, directory)) return true;
                                  for (const auto& server : hub_.servers.of_user(user.name())) {
                                      if (servers_.covers(access::Target::of(server->key), directory))
                                          return true;
                                  }
                                  return false;
                              }());
    const bool name = all || name_.covers(target, directory);
    const bool roles = all || roles_.covers(target, directory);
    const bool groups = all || groups_.covers(target, directory);
    const bool activity = all || activity_.covers(target, directory);
    if (!name && !roles && !groups && !activity && !sees_servers) return false;
    object.text("kind", "user");
    object.text("name", user.name().value);
    if (name || roles) object.flag("admin", user.row.admin);
    if (roles) object.texts("roles", directory.role_names_of(user));
    if (groups) object.texts("groups", directory.group_names_of(user));
    if (name)
        object.key("user_info") +=
            user.row.user_info.is_null() ? "null" : json::serialize(user.row.user_info);
    if (all) {
        const auto server = hub_.servers.find({user.name(), ServerName{}});
        if (server && server->ready())
            object.text("server", server->prefix(base_path_));
        else
            object.null("server");
        const auto pending = server ? server->pending() : std::nullopt;
        object.text_or_null("pending", pending.value_or(std::string_view{}));
        object.time("created", user.row.created);
    }
    if (activity) object.time("last_activity", user.row.last_activity);
    if (sees_servers) append_servers(object.key("servers"), user, servers);
    if (auth_state_.covers(target, directory)) object.null("auth_state");
    return true;
}

void UserView::append_servers(std::string& out, const identity::User& user, Servers which) const {
    out += '{';
    bool first = true;
    for (const auto& server : hub_.servers.of_user(user.name())) {
        if (which == Servers::active && !server->active()) continue;
        if (!servers_.covers(access::Target::of(server->key), hub_.directory)) continue;
        if (!first) out += ',';
        first = false;
        append_json(out, server->key.server.value);
        out += ':';
        append_server(out, *server);
    }
    out += '}';
}

void append_ending(std::string& out, const hub::Ending& ending) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(ending.at - now_utc());
    JsonObject object(out);
    object.time("at", ending.at);
    object.text("because", hub::name_of(ending.why));
    object.number("seconds_left", std::max<std::int64_t>(left.count(), 0));
    object.number("extensions_left", ending.extensions_left);
    object.number("extension_seconds", ending.extension.count());
    if (!ending.no_extension.empty()) object.text("no_extension", ending.no_extension);
    object.end();
}

namespace {

std::string progress_path(const std::string& base_path, const ServerKey& key) {
    std::string path = base_path;
    path.append("hub/api/users/").append(url_escape_path(key.user.value));
    if (key.server.empty())
        path += "/server/progress";
    else
        path.append("/servers/").append(url_escape_path(key.server.value)).append("/progress");
    return path;
}

void append_berth(std::string& out, const Dependencies& hub, const hub::Server& server) {
    JsonObject berth(out);
    berth.text_or_null("profile", server.row.profile);
    std::vector<std::string_view> devices;
    devices.reserve(server.devices.size());
    for (const auto& uuid : server.devices)
        devices.push_back(uuid.value);
    berth.texts("devices", devices);
    berth.text_or_null("failure", server.row.failure);
    if (!server.active() && !server.row.stopped_because.empty())
        berth.text("stopped_because", server.row.stopped_because);
    if (!server.stop_delayed.empty()) berth.text("stop_delayed", server.stop_delayed);
    if (!server.hint.empty()) berth.text("hint", server.hint);
    if (const auto until = hub.culler.lease_end_of(server)) {
        JsonObject lease(berth.key("lease"));
        lease.number("id", number_of(*server.lease));
        lease.time("until", *until);
        lease.end();
    }
    if (server.ending) append_ending(berth.key("ending"), *server.ending);
    if (const auto notice = hub::gpu_notice(server, hub.inventory, &hub.drains); !notice.empty())
        berth.text("notice", notice);
    if (const auto position = hub.start.position_of(server)) {
        berth.number("position", static_cast<std::int64_t>(*position));
        berth.number("waiting", static_cast<std::int64_t>(hub.start.line().waiting()));
    }
    berth.end();
}

}  // namespace

void UserView::append_server(std::string& out, const hub::Server& server) const {
    const std::string url = server.prefix(base_path_);
    const std::string progress = progress_path(base_path_, server.key);
    const std::string origin = public_origin(hub_);
    const auto& row = server.row;
    JsonObject object(out);
    object.text("name", server.key.server.value);
    object.text("display_name", row.display_name);
    object.text("full_name", server.key.full_name());
    object.time("last_activity", row.last_activity);
    if (server.active())
        object.time("started", row.started);
    else
        object.null("started");
    object.text_or_null("pending", server.pending().value_or(std::string_view{}));
    object.flag("ready", server.ready());
    object.flag("stopped", !server.active());
    object.text("url", url);
    object.key("user_options") += row.user_options.is_null() ? "null" : json::serialize(row.user_options);
    object.text("progress_url", progress);
    object.text_or_null("full_url", origin.empty() ? origin : origin + url);
    object.text_or_null("full_progress_url", origin.empty() ? origin : origin + progress);
    if (server_state_.covers(access::Target::of(server.key), hub_.directory)) {
        object.key("state") += row.spawn_state.is_null() ? "null" : json::serialize(row.spawn_state);
    }
    append_berth(object.key("berth"), hub_, server);
    object.end();
}

std::string public_origin(const Dependencies& hub) {
    return hub.options.public_url.empty() ? std::string() : hub::origin_of(hub.options.public_url);
}

http::Response json_text(unsigned status, std::string body) {
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

}  // namespace berth::api
