#include "gate/gate.hpp"

#include "base/random.hpp"
#include "base/text.hpp"
#include "gate/next_url.hpp"

namespace berth::gate {
namespace {

constexpr std::chrono::seconds kActivityResolution{30};
constexpr std::int64_t kAnonymousXsrfSeconds = 3600;

bool is_safe(http::Method method) {
    return method == http::Method::get || method == http::Method::head || method == http::Method::options;
}

std::string_view header(const http::Request& request, std::string_view name) {
    return request.headers.find(name).value_or(std::string_view{});
}

bool navigated(const http::Request& request) {
    const auto mode = header(request, "Sec-Fetch-Mode");
    return mode.empty() || mode == "navigate";
}

// JupyterHub's _needs_check_xsrf: fetch metadata is believed only where it takes nothing away from safety.
bool needs_xsrf(const http::Request& request) {
    const auto mode = header(request, "Sec-Fetch-Mode");
    if (mode == "websocket") return false;
    if (!is_safe(request.method)) return true;
    if (navigated(request)) return false;
    return !(mode == "no-cors" && header(request, "Sec-Fetch-Site") == "same-origin");
}

bool xsrf_applies(const http::Request& request, const Visit& visit) {
    if (visit.principal.by_token) return false;
    if (visit.surface != Surface::api) return !is_safe(request.method) && needs_xsrf(request);
    if (request.method == http::Method::head || request.method == http::Method::options) return false;
    // Scripts without credentials get the plain 403; another site's page must not learn whether there are
    // some.
    if (!visit.principal.authenticated() && !request.headers.find("Origin")) return false;
    return needs_xsrf(request);
}

std::string submitted_xsrf(const http::Request& request) {
    if (auto value = request.query_value(kXsrfCookie); value && !value->empty()) return *value;
    if (auto form = http::parse_form(request)) {
        if (auto value = http::form_value(*form, kXsrfCookie); value && !value->empty()) return *value;
    }
    if (auto value = header(request, "X-Xsrftoken"); !value.empty()) return std::string(value);
    return std::string(header(request, "X-Csrftoken"));
}

// A form of another site can send text/plain with cookies, but not JSON.
bool is_json_or_untyped(const http::Request& request) {
    const auto type = header(request, "Content-Type");
    return type.empty() || equals_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json");
}

http::Cookie cookie_of(std::string_view name, std::string value, std::string path) {
    http::Cookie cookie;
    cookie.name = name;
    cookie.value = std::move(value);
    cookie.path = std::move(path);
    return cookie;
}
http::Cookie cleared(std::string_view name, std::string path) {
    auto cookie = cookie_of(name, "", std::move(path));
    cookie.max_age_seconds = 0;
    return cookie;
}
// Readable by the pages' script, which sends it back.
http::Cookie xsrf_cookie(std::string value, std::string path) {
    auto cookie = cookie_of(kXsrfCookie, std::move(value), std::move(path));
    cookie.http_only = false;
    return cookie;
}

std::string error_method(const http::Request& request) {
    return std::string(http::name_of(request.method));
}

}  // namespace

std::string_view text_of(GateErrc reason) {
    switch (reason) {
        case GateErrc::xsrf_missing:
            return "xsrf_missing";
        case GateErrc::xsrf_mismatch:
            return "xsrf_mismatch";
    }
    return "gate";
}

std::string_view header_token(const http::Request& request) {
    const auto value = trim(header(request, "Authorization"));
    const auto space = value.find_first_of(" \t");
    if (space == std::string_view::npos) return {};
    const auto scheme = value.substr(0, space);
    if (!equals_ignoring_case(scheme, "token") && !equals_ignoring_case(scheme, "bearer")) return {};
    const auto token = trim(value.substr(space));
    return token.find_first_of(" \t") == std::string_view::npos ? token : std::string_view{};
}

Gate::Gate(identity::Directory& directory, const config::Options& options, Secret cookie_secret)
    : directory_(directory),
      base_path_(options.base_path()),
      hub_path_(base_path_ + "hub/"),
      cookie_max_age_(options.authentication.cookie_max_age),
      secret_(std::move(cookie_secret)) {
    const std::string_view url = options.public_url;
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
        public_scheme_ = url.substr(0, scheme);
        const auto rest = url.substr(scheme + 3);
        public_host_ = rest.substr(0, rest.find('/'));
    }
}

std::string Gate::scheme_of(const http::Request& request) const {
    return public_scheme_.empty() ? request.browser_scheme() : public_scheme_;
}

std::string Gate::host_of(const http::Request& request) const {
    return public_host_.empty() ? request.host() : public_host_;
}

std::optional<std::string> Gate::valid_next(const http::Request& request, std::string_view next) const {
    return local_next_url(next, scheme_of(request), host_of(request));
}

const identity::User* Gate::user_of_cookie(const http::Request& request, Timestamp now, Visit& visit) const {
    const auto values = request.cookies(kLoginCookie);
    for (const auto& value : values) {
        if (auto cookie_id = read_login_value(secret_, value, cookie_max_age_, now)) {
            if (const auto* user = directory_.find_by_cookie(*cookie_id)) return user;
        }
    }
    visit.login_is_invalid = !values.empty();
    return nullptr;
}

Visit Gate::identify(const http::Request& request, Surface surface, Timestamp now) const {
    Visit visit;
    visit.surface = surface;
    if (surface != Surface::page) {
        const auto text = header_token(request);
        const auto* token = text.empty() ? nullptr : directory_.find_token(text, now);
        if (token) {
            visit.principal = directory_.principal_of(*token);
            visit.principal.by_token = true;
            visit.session_id = token->row.session_id;
            if (visit.principal.authenticated()) {
                record_activity(visit, now);
                return visit;
            }
            visit = Visit{};
            visit.surface = surface;
        }
    }
    visit.session_id = request.cookie(kSessionCookie).value_or("");
    const auto* user = user_of_cookie(request, now, visit);
    // A session that was ended elsewhere takes its browser's login along.
    const auto* session = user != nullptr ? directory_.find_session(visit.session_id) : nullptr;
    if (user != nullptr && (session == nullptr || session->user != user->id())) {
        visit.login_is_invalid = true;
        user = nullptr;
    }
    const bool refused =
        surface == Surface::api && request.method == http::Method::post && !is_json_or_untyped(request);
    if (user && !refused) {
        visit.principal = directory_.principal_of(*user);
        visit.principal.session_id = visit.session_id;
        visit.xsrf_token = make_xsrf_token(secret_, visit.session_id, user->row.cookie_id);
        if (surface != Surface::server_url) record_activity(visit, now);
    } else {
        visit.xsrf_token = make_xsrf_token(
            secret_, visit.session_id, anonymous_id(request.client_address(), header(request, "User-Agent")));
    }
    return visit;
}

void Gate::record_activity(const Visit& visit, Timestamp now) const {
    auto is_news = [now](const std::optional<Timestamp>& last) {
        return !last || now - *last >= kActivityResolution;
    };
    bool of_server = visit.principal.server.has_value();
    if (visit.principal.token) {
        if (const auto* token = directory_.find(*visit.principal.token)) {
            of_server = of_server || token->row.note.starts_with("Server at ");
            if (is_news(token->row.last_activity)) directory_.touch(token->row.id, now);
        }
    }
    // A server reports its own activity; that it asks the hub something is none of its user's (§5).
    if (of_server || !visit.principal.user || visit.surface == Surface::server_url) return;
    const auto* user = directory_.find(*visit.principal.user);
    if (user && is_news(user->row.last_activity)) directory_.touch(user->id(), now);
}

Result<void> Gate::check_xsrf(const http::Request& request, const Visit& visit) const {
    if (!xsrf_applies(request, visit)) return {};
    const std::string submitted = submitted_xsrf(request);
    if (submitted.empty()) {
        return Error{GateErrc::xsrf_missing, "'_xsrf' argument missing from " + error_method(request)};
    }
    bool held = false;  // several cookies of this name may come, from nested paths
    for (const auto& cookie : request.cookies(kXsrfCookie))
        held = held || equal_constant_time(cookie, visit.xsrf_token);
    if (!held || !equal_constant_time(submitted, visit.xsrf_token)) {
        return Error{
            GateErrc::xsrf_mismatch, "XSRF cookie does not match " + error_method(request) + " argument"};
    }
    return {};
}

void Gate::set_cookie(http::Response& response, http::Cookie cookie, const http::Request& request) const {
    cookie.secure = scheme_of(request) == "https";
    response.headers.add("Set-Cookie", http::set_cookie(cookie));
}

void Gate::add_cookies(
    const http::Request& request, const Visit& visit, Renders renders, http::Response& response) const {
    const bool signed_in = visit.principal.authenticated();
    if (visit.principal.by_token || (visit.surface == Surface::api && !signed_in)) return;
    if (visit.login_is_invalid) {
        set_cookie(response, cleared(kLoginCookie, hub_path_), request);
    }
    if (renders == Renders::nothing || !navigated(request)) return;
    for (const auto& held : request.cookies(kXsrfCookie)) {
        if (held == visit.xsrf_token && signed_in) return;
    }
    auto xsrf = xsrf_cookie(visit.xsrf_token, hub_path_);
    if (!signed_in) xsrf.max_age_seconds = kAnonymousXsrfSeconds;
    set_cookie(response, std::move(xsrf), request);
}

void Gate::sign_in(
    const http::Request& request,
    const identity::User& user,
    Timestamp now,
    Visit& visit,
    http::Response& response) const {
    visit.principal = directory_.principal_of(user);
    // Never the one from before: whoever planted it would share the session (session fixation).
    visit.session_id = random_hex(16);
    visit.principal.session_id = visit.session_id;
    visit.login_is_invalid = false;
    visit.xsrf_token = make_xsrf_token(secret_, visit.session_id, user.row.cookie_id);
    set_cookie(response, cookie_of(kSessionCookie, visit.session_id, base_path_), request);
    auto login = cookie_of(kLoginCookie, make_login_value(secret_, user.row.cookie_id, now), hub_path_);
    login.max_age_seconds = cookie_max_age_.count();
    set_cookie(response, std::move(login), request);
    set_cookie(response, xsrf_cookie(visit.xsrf_token, hub_path_), request);
}

void Gate::set_pass(
    const http::Request& request,
    http::Response& response,
    std::string_view name,
    std::string value,
    std::string path,
    std::int64_t seconds) const {
    auto cookie = cookie_of(name, std::move(value), std::move(path));
    cookie.max_age_seconds = seconds;
    set_cookie(response, std::move(cookie), request);
}

void Gate::clear_cookies(const http::Request& request, http::Response& response) const {
    set_cookie(response, cleared(kSessionCookie, base_path_), request);
    set_cookie(response, cleared(kLoginCookie, hub_path_), request);
    set_cookie(response, cleared(kServicesCookie, base_path_ + "services"), request);
    set_cookie(response, cleared(kXsrfCookie, hub_path_), request);
}

}  // namespace berth::gate
