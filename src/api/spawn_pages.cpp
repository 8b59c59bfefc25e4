// The start form and the page that shows a start (hub-protocol §9.6).
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/pages.hpp"
#include "base/text.hpp"
#include "identity/names.hpp"
#include "spawn/environment.hpp"

#include <algorithm>

namespace berth::api {
namespace {

constexpr std::chrono::milliseconds kImmediate{150};

struct Visitor {
    ServerKey key;
    access::Permit permit;
};

// Whose server, and may the visitor start it? Who may not learns nothing about who exists.
Result<Visitor> visitor_of(const Dependencies& hub, const Call& call) {
    const access::AccessCheck access(hub.directory);
    BERTH_CHECK(access.check_signed_in(call.who()));
    ServerKey key;
    key.user = UserName(call.arguments.empty() ? call.who().name : call.arguments[0]);
    if (call.arguments.size() > 1) key.server = ServerName(call.arguments[1]);
    auto permit = access.check(call.who(), {"servers"}, access::Target::of(key));
    if (!permit || hub.directory.find(key.user) == nullptr) return not_found();
    if (!hub.servers.find(key)) {
        const auto allowed = hub.records.may_create(key);
        if (!allowed) return bad_request(allowed.error().message);
    }
    Visitor visitor{key, std::move(*permit)};
    return visitor;
}

std::string pending_url(const Dependencies& hub, const ServerKey& key) {
    return hub_path(hub) + "spawn-pending/" + server_path(key);
}

// Options in the query (§9.6): those with `opt-`, or, when there is none, every other one as hubs before 6.0
// did.
Result<json::object> options_of_query(const http::Request& request) {
    json::object prefixed;
    json::object plain;
    auto add = [](json::object& options, std::string_view name, const std::string& value) {
        auto& slot = options[name];
        if (!slot.is_array()) slot = json::array();
        slot.get_array().emplace_back(value);
    };
    for (const auto& [name, value] : request.query_values()) {
        if (name == "next" || name == "display_name" || name == "_xsrf") continue;
        if (!name.starts_with("opt-")) {
            add(plain, name, value);
        } else if (name.size() == 4) {
            return Error{ApiErrc::unprocessable, "The option 'opt-' has no name"};
        } else {
            add(prefixed, name.substr(4), value);
        }
    }
    return prefixed.empty() ? plain : prefixed;
}

json::object options_of_form(const std::vector<http::FormField>& form) {
    json::object options;
    for (const auto& field : form) {
        if (field.name == "_xsrf" || !field.file_name.empty()) continue;
        auto& slot = options[field.name];
        if (!slot.is_array()) slot = json::array();
        slot.get_array().emplace_back(field.value);
    }
    return options;
}

hub::Person person_named(const Dependencies& hub, const UserName& name) {
    const auto* user = hub.directory.find(name);
    return user == nullptr ? hub::Person{name, {}} : hub::person_of(hub.directory, *user);
}

http::Response form_page(
    const Dependencies& hub, const Call& call, const ServerKey& key, const Error* error) {
    json::object data{{"user", key.user.value}, {"server_name", key.server.value}};
    if (const auto server = hub.servers.find(key)) data["display_name"] = server->row.display_name;
    if (const auto shown = call.request.query_value("display_name")) data["display_name"] = *shown;
    json::array projects;
    for (auto& each : hub::projects_of(hub.options.gpu, person_named(hub, key.user)))
        projects.emplace_back(std::move(each));
    if (!projects.empty()) data["projects"] = std::move(projects);
    if (error != nullptr) data["error"] = message_of(*error);
    if (const auto next = call.request.query_value("next")) {
        if (auto valid = hub.gate.valid_next(call.request, *next)) data["next"] = *valid;
    }
    const unsigned status = error == nullptr ? 200 : status_of(*error);
    return html(status, web::app_page(page_context(hub, call), "spawn", std::move(data)));
}

// Nothing to choose: one profile, and it asks for no number of GPUs and no project to hold them for.
bool has_choice(const Dependencies& hub, const UserName& name) {
    const auto person = person_named(hub, name);
    const bool projects = !hub::projects_of(hub.options.gpu, person).empty();
    std::size_t open = 0;
    bool choice = false;
    for (const auto& profile : hub.start.profiles()) {
        if (!hub::may_use(profile, person.groups)) continue;
        ++open;
        choice = choice || profile.max_gpus > profile.gpus || (projects && profile.max_gpus > 0);
    }
    return open != 1 || choice;
}

// A link on another site may show the form, but not start anything (CVE-2026-40864).
bool is_cross_site(const http::Request& request) {
    const auto site = request.headers.find("Sec-Fetch-Site").value_or("none");
    return site != "none" && site != "same-origin";
}

awaitable<Result<http::Response>> start_and_show(
    Dependencies& hub, Call& call, Visitor visitor, std::optional<json::value> options) {
    hub::StartRequest request;
    request.user_options = std::move(options);
    const bool fresh = !hub.servers.find(visitor.key);
    if (const auto shown = call.request.query_value("display_name"); shown && fresh)
        request.display_name = *shown;
    const ServerKey key = visitor.key;
    auto begun = co_await hub.start.begin(std::move(visitor.permit), key, std::move(request));
    if (begun) {
        // What fails at once (an image that is not there) is said on the form, where it can be mended. Longer
        // than that nobody is kept from the pending page, which loads while the container boots.
        auto ready = co_await hub.start.wait(key, Deadline::in(kImmediate));
        if (!ready) begun = Error{ApiErrc::start_failed, ready.error().message, ready.error().detail};
    }
    if (!begun) {
        const Error error = begun.error();
        co_return form_page(hub, call, key, &error);
    }
    std::string url = pending_url(hub, key);
    if (const auto next = call.request.query_value("next")) {
        if (auto valid = hub.gate.valid_next(call.request, *next)) url += "?next=" + url_escape_query(*valid);
    }
    co_return http::Response::redirect(std::move(url));
}

std::optional<http::Response> already_there(const Dependencies& hub, const Call& call, const ServerKey& key) {
    const auto server = hub.servers.find(key);
    if (!server) return std::nullopt;
    const auto next = call.request.query_value("next");
    const auto valid = next ? hub.gate.valid_next(call.request, *next) : std::nullopt;
    if (server->ready())
        return http::Response::redirect(valid.value_or(server->prefix(hub.options.base_path())));
    if (!server->active()) return std::nullopt;
    return http::Response::redirect(
        pending_url(hub, key) + (valid ? "?next=" + url_escape_query(*valid) : ""));
}

awaitable<json::array> files_to_prefetch(Dependencies& hub, const ServerKey& key) {
    json::array urls;
    const auto prefix = spawn::service_prefix(hub.options.base_path(), key);
    const auto files = co_await hub.edge.first_files(key);
    for (const auto& each : files)
        urls.emplace_back(prefix + each);
    co_return urls;
}

}  // namespace

awaitable<Result<http::Response>> get_spawn(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(auto visitor, visitor_of(hub, call));
    if (auto there = already_there(hub, call, visitor.key)) co_return std::move(*there);
    if (const auto shown = call.request.query_value("display_name"); shown && !visitor.key.server.empty()) {
        const auto valid = identity::display_name(*shown);
        if (!valid) co_return bad_request(valid.error().message);
    }
    BERTH_CO_TRY(auto options, options_of_query(call.request));
    const bool asks = options.empty() && has_choice(hub, visitor.key.user);
    const bool reads_only = call.request.method == http::Method::head || is_cross_site(call.request);
    if (asks || reads_only) co_return form_page(hub, call, visitor.key, nullptr);
    std::optional<json::value> chosen;
    if (!options.empty()) chosen = std::move(options);
    co_return co_await start_and_show(hub, call, std::move(visitor), std::move(chosen));
}

awaitable<Result<http::Response>> post_spawn(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(auto visitor, visitor_of(hub, call));
    if (auto there = already_there(hub, call, visitor.key)) co_return std::move(*there);
    const auto form = http::parse_form(call.request).value_or(std::vector<http::FormField>{});
    json::value options = options_of_form(form);
    co_return co_await start_and_show(hub, call, std::move(visitor), std::move(options));
}

awaitable<Result<http::Response>> get_spawn_pending(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto visitor, visitor_of(hub, call));
    const ServerKey& key = visitor.key;
    const auto server = hub.servers.find(key);
    const auto next = call.request.query_value("next");
    const auto valid = next ? hub.gate.valid_next(call.request, *next) : std::nullopt;
    if (server && server->ready()) {
        co_return http::Response::redirect(valid.value_or(server->prefix(hub.options.base_path())));
    }
    if (!server || !server->active()) {
        web::NotRunningModel model;
        model.server_label = key.server.empty() ? "Your server" : "The server " + key.server.value;
        model.start_url = hub_path(hub) + "spawn/" + server_path(key);
        const bool failed = server && (server->failure || server->row.lifecycle == hub::Lifecycle::failed);
        if (failed) model.failure = server->failure ? server->failure->message : server->row.failure;
        co_return html(failed ? 500 : 200, web::not_running_page(page_context(hub, call), model));
    }
    std::string progress = hub_path(hub) + "api/users/" + url_escape_path(key.user.value);
    progress += key.server.empty() ? "/server/progress"
                                   : "/servers/" + url_escape_path(key.server.value) + "/progress";
    json::object data{
        {"user", key.user.value},
        {"server_name", key.server.value},
        {"next", valid.value_or("")},
        {"progress_url", progress},
        {"display_name", server->row.display_name}};
    const access::AccessCheck access(hub.directory);
    const bool may_open = access.allows(call.who(), "access:servers", access::Target::of(key));
    if (may_open) data["prefetch"] = co_await files_to_prefetch(hub, key);
    auto response = html(200, web::app_page(page_context(hub, call), "spawn-pending", std::move(data)));
    if (may_open) give_pass(hub, call, key, response);
    co_return response;
}

}  // namespace berth::api
