// The page behind a one-time link: the first administrator chooses a name and a password, everybody else a
// password.
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "api/pages.hpp"
#include "base/text.hpp"
#include "identity/names.hpp"
#include "identity/password.hpp"
#include "obs/log.hpp"

namespace berth::api {
namespace {

struct Invitation {
    std::string token;
    std::optional<UserName> user;  // none: the first administrator's
};

Result<Invitation> find_invitation(const Dependencies& hub, const Call& call) {
    Invitation invitation;
    invitation.token = call.request.query_value("token").value_or("");
    const auto* row = hub.directory.find_invite(invitation.token, call.now);
    const auto* user = row != nullptr && row->user ? hub.directory.find(*row->user) : nullptr;
    if (row == nullptr || (row->user && user == nullptr)) {
        return not_found("This link was used already or has expired. Ask an administrator for a new one.");
    }
    if (user != nullptr) invitation.user = user->name();
    return invitation;
}

http::Response invitation_page(
    const Dependencies& hub,
    const Call& call,
    const Invitation& invitation,
    unsigned status,
    const std::string& username,
    std::string error) {
    web::InviteModel model;
    model.form_action = hub_path(hub) + "invite?token=" + url_escape_query(invitation.token);
    model.first_administrator = !invitation.user.has_value();
    model.username = invitation.user ? invitation.user->value : username;
    model.error = std::move(error);
    model.minimum_password_length = static_cast<int>(identity::kMinPasswordCharacters);
    auto response = html(status, web::invite_page(page_context(hub, call), model));
    response.headers.set("Referrer-Policy", "no-referrer");  // the address is the credential
    return response;
}

// Errors are the form's: what to write differently.
awaitable<Result<UserId>> accept(
    Dependencies& hub, Call& call, Invitation invitation, std::vector<http::FormField> form) {
    std::optional<UserName> name;
    if (invitation.user && !hub.sign_in.allowed(*invitation.user)) {
        co_return Error{
            identity::SignInErrc::not_allowed,
            "This account may not sign in here. Ask your administrator to allow it."};
    }
    if (!invitation.user) {
        BERTH_CO_TRY(name, identity::user_name(trim(http::form_value(form, "username").value_or(""))));
    }
    Secret password(http::form_value(form, "password").value_or(""));
    if (!password.equals(http::form_value(form, "password_repeat").value_or(""))) {
        co_return bad_request("The two passwords differ. Type the same one twice.");
    }
    BERTH_CO_TRY(auto hash, co_await identity::hash_new_password(hub.pool, std::move(password)));
    co_return co_await hub.directory.accept_invite(
        std::move(invitation.token), std::move(name), std::move(hash), call.now);
}

}  // namespace

awaitable<Result<http::Response>> get_invite(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto invitation, find_invitation(hub, call));
    co_return invitation_page(hub, call, invitation, 200, "", "");
}

awaitable<Result<http::Response>> post_invite_page(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto invitation, find_invitation(hub, call));
    const auto form = http::parse_form(call.request).value_or(std::vector<http::FormField>{});
    const std::string username = http::form_value(form, "username").value_or("");
    if (!hub.gate.check_xsrf(call.request, call.visit)) {
        co_return invitation_page(hub, call, invitation, 403, username, "The form has expired. Try again.");
    }
    auto accepted = co_await accept(hub, call, invitation, form);
    if (!accepted) {
        const Error error = accepted.error();
        co_return invitation_page(hub, call, invitation, status_of(error), username, message_of(error));
    }
    const auto* user = hub.directory.find(*accepted);
    if (user == nullptr) co_return not_found();
    log::info("user.invite_accepted", {{"user", identity::for_log(user->name().value)}});
    http::Response response = http::Response::redirect(hub_path(hub) + "home");
    BERTH_CO_CHECK(co_await begin_session(hub, call, *accepted, "invite", response));
    co_return response;
}

}  // namespace berth::api
