// Who asks, and may this browser be believed: from a request to a Principal, the cookies that keep it, and
// the XSRF rule (hub-protocol §6, §7.1, CVE-2024-28233, CVE-2026-40864). What a principal may do is access/'s
// question. Owned by app/, hub strand only, no I/O.
#pragma once

#include "access/principal.hpp"
#include "base/secret.hpp"
#include "config/options.hpp"
#include "gate/cookies.hpp"
#include "http/message.hpp"
#include "identity/directory.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace berth::gate {

enum class GateErrc {
    xsrf_missing = 1,  // "'_xsrf' argument missing from POST"
    xsrf_mismatch,     // "XSRF cookie does not match POST argument"
};
std::string_view text_of(GateErrc reason);
BERTH_ERROR_CATEGORY(GateErrc, "gate")

// What is asked for decides which credentials count and how XSRF is checked.
enum class Surface {
    api,         // header token, else cookie; GET is XSRF-checked too; a cookie POST must be JSON
    page,        // cookie only
    server_url,  // /hub/user/…: header token, else cookie; is nobody's activity
};

// What the gate found out about one request. Cookies to be set come out by Gate::add_cookies().
struct Visit {
    access::Principal principal;
    Surface surface = Surface::page;
    std::string session_id;         // of the browser, "" when it has none
    std::string xsrf_token;         // the one that is valid for this visit
    bool login_is_invalid = false;  // the login cookie lies or is too old: to be cleared
};

class Gate {
public:
    // `cookie_secret`: 32 random bytes kept in the store. All must outlive the gate.
    Gate(identity::Directory& directory, const config::Options& options, Secret cookie_secret);

    // Also counts as activity of the user and of the token (§5), except on Surface::server_url.
    Visit identify(const http::Request& request, Surface surface, Timestamp now) const;
    // Errors: xsrf_missing, xsrf_mismatch; both 403 with JupyterHub's words.
    Result<void> check_xsrf(const http::Request& request, const Visit& visit) const;

    // The cookies an answer to this visit carries: a new session id, a cleared login cookie, and on a page
    // that was navigated to the XSRF token when the browser does not hold it. Nothing on answers to tokens or
    // to nobody's API calls: clients of 6.x keep cookies of any answer (§4.5).
    enum class Renders { nothing, page };
    void add_cookies(
        const http::Request& request, const Visit& visit, Renders renders, http::Response& response) const;
    // After signing in: login cookie, session id and XSRF token; `visit` becomes that of the user.
    void sign_in(
        const http::Request& request,
        const identity::User& user,
        Timestamp now,
        Visit& visit,
        http::Response& response) const;
    // Clears everything the hub has set (§6.7).
    void clear_cookies(const http::Request& request, http::Response& response) const;

    // A cookie of a value made elsewhere, which no script reads, below `path`; 0 seconds take it away.
    void set_pass(
        const http::Request& request,
        http::Response& response,
        std::string_view name,
        std::string value,
        std::string path,
        std::int64_t seconds) const;

    // A `next` that leads to this hub and nowhere else, or nothing.
    std::optional<std::string> valid_next(const http::Request& request, std::string_view next) const;
    // "https" when the browser's connection, as far as it is known, is.
    std::string scheme_of(const http::Request& request) const;
    std::string host_of(const http::Request& request) const;

private:
    const identity::User* user_of_cookie(const http::Request& request, Timestamp now, Visit& visit) const;
    void set_cookie(http::Response& response, http::Cookie cookie, const http::Request& request) const;
    void record_activity(const Visit& visit, Timestamp now) const;

    identity::Directory& directory_;
    std::string base_path_;
    std::string hub_path_;
    std::string public_scheme_;  // of public_url, "" when there is none
    std::string public_host_;
    std::chrono::seconds cookie_max_age_;
    Secret secret_;
};

// The token of "Authorization: token X" or "Bearer X", scheme in any case, one word after it; "" otherwise
// (§7.1).
std::string_view header_token(const http::Request& request);

}  // namespace berth::gate
