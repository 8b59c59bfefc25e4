// The HTML that the hub answers with. Pages that people meet before they have signed in, or that must work
// when nothing else does, are rendered here whole and need no script; the others (app_page) are a frame in
// which the bundle of web/ draws. Pure functions on the hub strand: no I/O, no clock. Every text is escaped
// here, callers pass it raw. The answer's Content-Security-Policy must allow scripts by `nonce` and
// same-origin styles, images and connections; nothing else is loaded. Forms and field names are those of
// JupyterHub (hub-protocol §3.2, §6.6).
#pragma once

#include "base/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::web {

enum class BannerKind { info, warning, danger };

struct Banner {
    BannerKind kind = BannerKind::info;
    std::string text{};
};

// What every page knows. `xsrf` is the value of the cookie of the same answer (hub-protocol §6.4).
struct PageContext {
    std::string base_path = "/";
    std::string hub_path = "/hub/";
    std::optional<std::string> user{};  // signed in as
    bool admin = false;
    std::string xsrf{};
    std::string nonce{};
    std::vector<Banner> banners{};
    std::string version{};
    bool gpus = false;  // there are some: the page about them is among the links
};

// Another way in than name and password, such as an OIDC provider.
struct LoginLink {
    std::string label{};
    std::string url{};
};

struct LoginModel {
    std::string form_action{};  // with its `next`
    std::string username{};     // what was typed last time
    std::string error{};        // empty: none
    bool dummy = false;         // any name is let in: the page says so
    std::vector<LoginLink> links{};
};

// The page behind a one-time link. The first administrator chooses a name (field `username`); anybody else's
// is fixed. Fields: username, password, password_repeat, _xsrf.
struct InviteModel {
    std::string form_action{};
    bool first_administrator = false;
    std::string username{};
    std::string error{};
    int minimum_password_length = 8;
};

struct ScopeLine {
    std::string scope{};
    std::string sentence{};
};

// Consent for an OAuth client. Posts to the page's own address: _xsrf and one `scopes` per line.
struct AuthorizeModel {
    std::string client_description{};
    std::string redirect_host{};
    std::vector<ScopeLine> scopes{};
    std::string error{};
};

struct NotRunningModel {
    std::string server_label{};     // "Your server", "ann's server train"
    std::string start_url{};        // empty: the visitor may not start it
    std::string failure{};          // why the last start failed, if it did
    std::string stopped_because{};  // why the hub stopped it unasked, if it did
};

struct ErrorModel {
    int status = 500;
    std::string title{};         // empty: the status's own
    std::string message{};       // what happened and what to do
    std::string error_id{};      // also in the log; empty: none
    std::string action_label{};  // empty: "Go to home" for people signed in, otherwise "Sign in"
    std::string action_url{};
};

std::string login_page(const PageContext& context, const LoginModel& model);
std::string invite_page(const PageContext& context, const InviteModel& model);
std::string authorize_page(const PageContext& context, const AuthorizeModel& model);
std::string not_running_page(const PageContext& context, const NotRunningModel& model);  // send with 424
std::string error_page(const PageContext& context, const ErrorModel& model);
std::string signed_out_page(const PageContext& context);

// The frame for the bundle's page `name`: home, spawn, spawn-pending, token or admin. The page's JSON block
// is {page, base, hub, user, admin, xsrf, version, data}, with `data` (the `user` in it owns the server):
//   home {named_servers_allowed}   spawn {user, server_name, display_name?, error?, next?}   token {}   admin
//   {} spawn-pending {user, server_name, next, progress_url, display_name}
std::string app_page(const PageContext& context, std::string_view name, json::object data);

}  // namespace berth::web
