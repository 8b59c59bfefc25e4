// One request on its way through a handler, and the row of the table that brought it there. The dispatcher
// (hub_api.cpp) has found out who asks, checked XSRF and made the permit before a handler runs.
#pragma once

#include "access/permit.hpp"
#include "api/dependencies.hpp"
#include "gate/gate.hpp"
#include "http/message.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::api {

struct Call {
    http::Request request;
    gate::Visit visit;
    std::vector<std::string> arguments;    // decoded, in the order of the pattern; {rest...} as received
    std::optional<access::Permit> permit;  // none on rows with Check::open and Check::handler
    Timestamp now{};
    std::string nonce;  // of this answer's scripts

    const access::Principal& who() const { return visit.principal; }
    UserName user() const { return UserName(arguments.at(0)); }
    // The server of "users/{user}/servers/{server?}" or of "users/{user}/server".
    ServerKey server() const {
        return {user(), ServerName(arguments.size() > 1 ? arguments[1] : std::string())};
    }
};

// References are good until the handler's coroutine ends: the dispatcher awaits it on the spot. A streamed
// body runs later and must own what it touches.
using Handler = awaitable<Result<http::Response>> (*)(Dependencies& hub, Call& call);

enum class Check {
    open,       // anybody; the row's note says why
    signed_in,  // anybody who has proven who they are
    scopes,     // one of `scopes`, for the target
    listing,    // one of `scopes` with any filter; the handler shows what it reaches (hub-protocol §10.7)
    handler,  // the handler checks, because it must look at the body or the record first; the note says what
};
enum class On { nothing, user, server, group, service };  // what the path's first arguments name
enum class Xsrf { checked, handler_decides };

struct Row {
    http::Method method;
    std::string_view
        pattern;  // below {base}hub/: "api/users/{user}", "{server?}" may be empty, "{rest...}" ends it
    Handler handler;
    Check check = Check::scopes;
    std::array<std::string_view, 6> scopes{};
    On on = On::nothing;
    gate::Surface surface = gate::Surface::api;
    Xsrf xsrf = Xsrf::checked;
    std::string_view note{};       // required with Check::open and Check::handler
    std::string_view reference{};  // of hub-protocol.md, or "berth"
};

std::vector<std::string_view> scopes_of(const Row& row);
access::Target target_of(const Row& row, const Call& call);

}  // namespace berth::api
