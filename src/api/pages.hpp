// What the HTML pages share: the frame's facts, where to go next, and errors as pages.
#pragma once

#include "api/call.hpp"
#include "web/pages.hpp"

#include <string>
#include <string_view>

namespace berth::api {

std::string hub_path(const Dependencies& hub);  // "/hub/" below the base path
web::PageContext page_context(const Dependencies& hub, const Call& call);
http::Response html(unsigned status, std::string page);
// To the sign-in page and back here (hub-protocol §2.5).
http::Response redirect_to_login(const Dependencies& hub, const Call& call);
http::Response error_as_page(const Dependencies& hub, const Call& call, const Error& error);
http::Response status_as_page(
    const Dependencies& hub, const Call& call, unsigned status, std::string message);

// `next` when it is valid, else `fallback` with the query's other parameters (§2.6).
std::string next_or(const Dependencies& hub, const Call& call, std::string fallback);
// The default server of whoever asks when it runs, else the spawn page.
std::string landing_url(const Dependencies& hub, const UserName& user);
// Path of the server's own pages: "ann" or "ann/gpu", escaped.
std::string server_path(const ServerKey& key);
// Lets the browser have the files of the server's image from the proxy (hub/edge_cache.hpp). Only for who was
// found to have access to the server.
void give_pass(const Dependencies& hub, const Call& call, const ServerKey& key, http::Response& response);
void take_passes(const Dependencies& hub, const Call& call, const UserName& user, http::Response& response);

// A new browser session for `user`: its cookies in `response`, its row committed. The one that this browser
// had before ends, with the tokens issued in it, whoever's it was: no sign-out would reach it any more.
// `method`: how they have shown who they are, for the audit record.
awaitable<Result<void>> begin_session(
    Dependencies& hub, Call& call, UserId user, std::string method, http::Response& response);

}  // namespace berth::api
