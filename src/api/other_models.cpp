#include "api/models.hpp"

namespace berth::api {
namespace {

template <class List>
json::array array_of(const List& texts) {
    json::array array;
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

}  // namespace

json::object token_model(const Dependencies& hub, const identity::Token& token) {
    const auto& row = token.row;
    json::object model;
    if (row.user) {
        const auto* user = hub.directory.find(*row.user);
        model["user"] = user == nullptr ? std::string() : user->name().value;
    } else if (row.service) {
        const auto* service = hub.directory.find(*row.service);
        model["service"] = service == nullptr ? std::string() : service->name.value;
    }
    model["id"] = token.api_id();
    model["kind"] = "api_token";
    model["roles"] = json::array();  // deprecated (hub-protocol §7.3)
    model["scopes"] = array_of(hub.directory.scopes_of(token)->strings());
    model["created"] = format_rfc3339(row.created);
    model["last_activity"] = or_null(row.last_activity);
    model["expires_at"] = or_null(row.expires_at);
    model["note"] = row.note;
    model["session_id"] = row.session_id.empty() ? json::value(nullptr) : json::value(row.session_id);
    const auto* client = hub.directory.find_client(row.client_id);
    model["oauth_client"] =
        client == nullptr || client->description.empty() ? "JupyterHub" : client->description;
    return model;
}

bool append_group(
    std::string& out,
    const Dependencies& hub,
    const access::Principal& reader,
    const identity::Group& group) {
    const auto target = access::Target::of(group.row.name);
    const auto& scopes = reader.scopes();
    const bool all = scopes.has("read:groups", target, hub.directory);
    const bool roles = scopes.has("read:roles:groups", target, hub.directory);
    if (!all && !roles && !scopes.has("read:groups:name", target, hub.directory)) return false;
    JsonObject object(out);
    object.text("kind", "group");
    object.text("name", group.row.name.value);
    if (roles) object.texts("roles", hub.directory.role_names_of(group));
    if (all) {
        object.key("properties") += json::serialize(group.row.properties);
        std::vector<std::string_view> users;
        users.reserve(group.row.members.size());
        for (const auto id : group.row.members)
            users.push_back(hub.directory.name_of(id));
        object.texts("users", users);
    }
    object.end();
    return true;
}

std::optional<json::object> service_model(
    const Dependencies& hub, const access::Principal& reader, const store::ServiceRow& service) {
    const auto target = access::Target::of(service.name);
    const auto& scopes = reader.scopes();
    const bool all = scopes.has("read:services", target, hub.directory);
    const bool roles = scopes.has("read:roles:services", target, hub.directory);
    if (!all && !roles && !scopes.has("read:services:name", target, hub.directory)) return std::nullopt;
    json::object model{{"kind", "service"}, {"name", service.name.value}, {"admin", service.admin}};
    if (roles) model["roles"] = array_of(hub.directory.role_names_of(service));
    if (!all) return model;
    model["url"] = service.url;
    model["prefix"] = service.url.empty() ? std::string() : hub.directory.service_prefix(service);
    model["command"] = json::array();
    model["pid"] = 0;
    model["info"] = service.info;
    model["display"] = service.display;
    return model;
}

}  // namespace berth::api
