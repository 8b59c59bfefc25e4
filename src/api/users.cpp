// One user, and whoever asks (hub-protocol §4, §9.7, §11.1).
#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/models.hpp"
#include "api/pages.hpp"
#include "identity/names.hpp"

namespace berth::api {
namespace {

constexpr std::string_view kUserKeys[] = {"name", "admin", "groups", "roles", "auth_state"};

Result<const identity::User*> find_user(const Dependencies& hub, const UserName& name) {
    const auto* user = hub.directory.find(name);
    if (user == nullptr) return not_found();
    return user;
}

Servers wanted_servers(const http::Request& request) {
    return query_flag(request, "include_stopped_servers") ? Servers::all : Servers::active;
}

http::Response user_response(
    const Dependencies& hub, const Call& call, unsigned status, const identity::User& user, Servers servers) {
    std::string body;
    body.reserve(512);
    if (!UserView(hub, call.who()).append(body, user, servers)) body = "{}";
    return json_text(status, std::move(body));
}

Result<void> check_may_set_admin(const Dependencies& hub, const Call& call) {
    const access::AccessCheck access(hub.directory);
    BERTH_CHECK(access.check_admin_change(call.who(), "admin:users", access::Target::none()));
    return {};
}

// A name of the configuration's list makes whoever signs in by it an administrator.
Result<void> check_may_take_name(const Dependencies& hub, const Call& call, const UserName& name) {
    return hub.sign_in.listed_admin(name) ? check_may_set_admin(hub, call) : Result<void>{};
}

// Who sets somebody's password can be them: administrators may, and whoever holds all that they hold.
Result<void> check_may_be(const Dependencies& hub, const Call& call, const identity::User& user) {
    if (call.who().admin) return {};
    const auto theirs = hub.directory.principal_of(user);
    if (!theirs.admin && call.who().scopes().contains(theirs.scopes(), hub.directory)) return {};
    return Error{
        access::AccessErrc::admin_only,
        "Setting a password for somebody needs an administrator, or every right that they have."};
}

void append_who(JsonObject& object, const Dependencies& hub, const access::Principal& who) {
    if (who.session_id.empty())
        object.null("session_id");
    else
        object.text("session_id", who.session_id);
    const auto* token = who.token ? hub.directory.find(*who.token) : nullptr;
    object.text_or_null("token_id", token == nullptr ? std::string() : token->api_id());
}

}  // namespace

// The credential itself is what is asked about: every valid one may, without any scope.
awaitable<Result<http::Response>> get_self(Dependencies& hub, Call& call) {
    const auto& who = call.who();
    access::Owner owner;
    if (who.user) owner.user = who.name;
    if (who.service) owner.service = who.name;
    access::ScopeSet scopes = who.scopes();
    scopes.merge(access::identify_scopes(owner));
    std::string body;
    body.reserve(768);
    JsonObject object(body);
    if (who.user) {
        const auto* user = hub.directory.find(*who.user);
        if (user == nullptr) co_return not_found();
        UserView(hub, scopes).append_members(object, *user, Servers::active);
    } else if (who.service) {
        const auto* service = hub.directory.find(*who.service);
        if (service == nullptr) co_return not_found();
        object.text("kind", "service");
        object.text("name", service->name.value);
        object.flag("admin", service->admin);
        object.texts("roles", hub.directory.role_names_of(*service));
        object.texts("groups", std::vector<std::string>{});
    }
    append_who(object, hub, who);
    object.texts("scopes", scopes.strings());
    object.end();
    co_return json_text(200, std::move(body));
}

awaitable<Result<http::Response>> get_user(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, find_user(hub, call.user()));
    co_return user_response(hub, call, 200, *user, wanted_servers(call.request));
}

awaitable<Result<http::Response>> post_user(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kUserKeys));
    BERTH_CO_TRY(const auto admin, flag_member(body, "admin"));
    if (admin.value_or(false)) BERTH_CO_CHECK(check_may_set_admin(hub, call));
    BERTH_CO_TRY(auto name, identity::user_name(call.user().value));
    BERTH_CO_CHECK(check_may_take_name(hub, call, name));
    identity::NewUser wanted{name, admin.value_or(false) || hub.sign_in.listed_admin(name)};
    BERTH_CO_TRY(
        const auto id,
        co_await hub.directory.create_user(
            std::move(wanted), call.now, audit_of(call, "user.create", name.value)));
    co_return user_response(hub, call, 201, *hub.directory.find(id), Servers::active);
}

awaitable<Result<http::Response>> patch_user(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, find_user(hub, call.user()));
    BERTH_CO_TRY(const auto body, object_body(call.request));
    BERTH_CO_CHECK(only_keys(body, kUserKeys));
    BERTH_CO_TRY(const auto new_name, text_member(body, "name"));
    BERTH_CO_TRY(const auto admin, flag_member(body, "admin"));
    const bool changes_admin = admin && *admin != user->row.admin;
    if (changes_admin || user->row.admin) BERTH_CO_CHECK(check_may_set_admin(hub, call));
    const UserId id = user->id();
    // The admin page always sends the name; unchanged means no renaming (§22.21).
    if (new_name && *new_name != user->name().value) {
        BERTH_CO_TRY(auto name, identity::user_name(*new_name));
        BERTH_CO_CHECK(check_may_take_name(hub, call, name));
        const UserName old_name = user->name();
        if (hub.directory.find(name) != nullptr && name != old_name) {
            co_return bad_request("User " + name.value + " already exists, username must be unique");
        }
        if (name != old_name)
            BERTH_CO_CHECK(co_await hub.users.rename(*call.permit, old_name, std::move(name)));
    }
    if (changes_admin)
        BERTH_CO_CHECK(co_await hub.directory.set_admin(
            id, *admin, audit_of(call, *admin ? "user.make_admin" : "user.drop_admin", call.user().value)));
    const auto* changed = hub.directory.find(id);
    if (changed == nullptr) co_return not_found();
    co_return user_response(hub, call, 200, *changed, Servers::active);
}

awaitable<Result<http::Response>> delete_user(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, find_user(hub, call.user()));
    if (call.who().is(user->name())) co_return bad_request("Cannot delete yourself!");
    const UserName name = user->name();
    BERTH_CO_CHECK(co_await hub.users.remove(*call.permit, name, Deadline::in(std::chrono::seconds(10))));
    co_return http::Response::empty(204);
}

// A one-time link with which the user chooses a password.
awaitable<Result<http::Response>> post_invite(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, find_user(hub, call.user()));
    BERTH_CO_CHECK(check_may_be(hub, call, *user));
    constexpr std::chrono::hours kLife{7 * 24};
    BERTH_CO_TRY(
        const auto token,
        co_await hub.directory.create_invite(
            user->id(), call.now, kLife, audit_of(call, "user.invite", user->name().value)));
    // A command on this machine has no address that the user could open.
    std::string url = call.request.local_peer
                          ? hub::public_origin_of(hub.options)
                          : hub.gate.scheme_of(call.request) + "://" + hub.gate.host_of(call.request);
    url.append(hub_path(hub)).append("invite?token=").append(token.reveal());
    co_return http::Response::json(
        201, json::object{{"url", url}, {"expires_at", format_rfc3339(call.now + kLife)}});
}

}  // namespace berth::api
