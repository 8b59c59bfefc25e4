// Signing in and out (hub-protocol §6.6, §6.7).
#include "api/audit.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/pages.hpp"
#include "base/text.hpp"
#include "identity/names.hpp"
#include "obs/jupyterhub_metrics.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

namespace berth::api {
namespace {

http::Response login_page(
    const Dependencies& hub, const Call& call, unsigned status, std::string username, std::string error) {
    web::LoginModel model;
    model.form_action = hub_path(hub) + "login";
    if (!call.request.query().empty()) model.form_action.append("?").append(call.request.query());
    model.username = std::move(username);
    model.error = std::move(error);
    model.dummy = hub.sign_in.authenticator().name() == "dummy";
    return html(status, web::login_page(page_context(hub, call), model));
}

std::string after_sign_in(const Dependencies& hub, const Call& call, const UserName& user) {
    return next_or(hub, call, landing_url(hub, user));
}

awaitable<Result<http::Response>> welcome(Dependencies& hub, Call& call, UserId id) {
    const auto* user = hub.directory.find(id);
    if (user == nullptr) co_return not_found();
    http::Response response = http::Response::redirect(after_sign_in(hub, call, user->name()));
    std::string method(hub.sign_in.authenticator().name());
    BERTH_CO_CHECK(co_await begin_session(hub, call, id, std::move(method), response));
    hub.directory.touch(id, call.now);
    co_return response;
}

// A name that no account has may be a password in the wrong field: it is not written down.
std::string refused_target(const Dependencies& hub, const std::string& username, const Error& error) {
    const auto name = identity::user_name(trim(username));
    if (!name) return {};
    const bool proven = error.is(identity::SignInErrc::not_allowed);
    return proven || hub.directory.find(*name) != nullptr ? name->value : std::string();
}

// Strangers can write here, so what they can write is bounded: a try that the throttle refuses leaves no
// record, which leaves an address ten times `tries_before_delay` at once and then one in five minutes, within
// `rate_limit`. A record that cannot be written lets nobody in, so the refusal stands without it.
awaitable<> record_refusal(Dependencies& hub, Call& call, std::string username, Error error) {
    log::warn(
        "user.sign_in_failed",
        {{"user", identity::for_log(username)},
         {"address", call.request.client_address()},
         {"reason", error.code.message()},
         {"detail", error.detail}});
    if (error.is(identity::SignInErrc::throttled)) co_return;
    auto audit = audit_of(
        call,
        "user.sign_in",
        refused_target(hub, username, error),
        "from " + std::string(call.request.client_address()) + ": " + error.code.message());
    audit.permit = hub.sign_in.authenticator().name();
    const bool by_us =
        error.is(identity::SignInErrc::wrong_credentials) || error.is(identity::SignInErrc::not_allowed);
    audit.result = by_us ? "refused" : "failed";
    store::Change change = [audit](store::Transaction& tx) { store::insert(tx, audit); };
    if (const auto noted = co_await hub.store.commit(std::move(change)); !noted)
        log::error("audit.not_written", {{"action", audit.action}, {"why", noted.error().message}});
}

}  // namespace

awaitable<Result<http::Response>> get_login(Dependencies& hub, Call& call) {
    if (call.who().user)
        co_return http::Response::redirect(after_sign_in(hub, call, UserName(call.who().name)));
    co_return login_page(hub, call, 200, call.request.query_value("username").value_or(""), "");
}

awaitable<Result<http::Response>> post_login(Dependencies& hub, Call& call) {
    const auto begin = std::chrono::steady_clock::now();
    const auto form = http::parse_form(call.request);
    const std::string username = form ? http::form_value(*form, "username").value_or("") : "";
    if (!hub.gate.check_xsrf(call.request, call.visit)) {
        co_return login_page(hub, call, 403, username, "Login form invalid or expired. Try again.");
    }
    identity::Credentials credentials;
    credentials.username = username;
    credentials.password = Secret(form ? http::form_value(*form, "password").value_or("") : "");
    credentials.client_address = call.request.client_address();
    auto signed_in =
        co_await hub.sign_in.sign_in(std::move(credentials), Deadline::in(std::chrono::seconds(30)));
    const double took = obs::seconds_since(begin);
    const std::string status = signed_in ? "LoginStatus.success" : "LoginStatus.failure";
    obs::jupyterhub::login_duration().with({{"status", status}}).observe(took);
    if (!signed_in) {
        const Error error = signed_in.error();
        co_await record_refusal(hub, call, username, error);
        auto page = login_page(hub, call, status_of(error), username, message_of(error));
        if (const auto seconds = retry_after(error)) page.headers.add("Retry-After", std::to_string(seconds));
        co_return page;
    }
    co_return co_await welcome(hub, call, *signed_in);
}

awaitable<Result<http::Response>> get_logout(Dependencies& hub, Call& call) {
    const auto begin = std::chrono::steady_clock::now();
    // Only a valid login cookie ends a session: whoever knows a session id alone must not (§6.7).
    if (call.who().user) {
        const auto user = *call.who().user;
        auto audit = audit_of(call, "user.sign_out", call.who().name);
        BERTH_CO_CHECK(co_await hub.directory.end_session(user, call.visit.session_id, std::move(audit)));
        log::info("user.signed_out", {{"user", call.who().name}});
    }
    http::Response response = http::Response::redirect(hub_path(hub) + "login");
    hub.gate.clear_cookies(call.request, response);
    if (call.who().user) take_passes(hub, call, UserName(call.who().name), response);
    call.visit = gate::Visit{};
    const double took = obs::seconds_since(begin);
    obs::jupyterhub::logout_duration().plain().observe(took);
    co_return response;
}

}  // namespace berth::api
