// A user's browser sessions: where they are signed in, and how to end that. Berth's own; JupyterHub has none.
#include "api/audit.hpp"
#include "api/error_response.hpp"
#include "api/handlers.hpp"
#include "base/random.hpp"

namespace berth::api {
namespace {

// Enough of the hash to tell sessions apart; it opens nothing.
std::string id_of(const store::SessionRow& session) {
    return session.session_hash.substr(0, 16);
}

Result<const identity::User*> owner_of(const Dependencies& hub, const Call& call) {
    const auto* user = hub.directory.find(call.user());
    if (user == nullptr) return not_found("No such user: " + call.user().value);
    return user;
}

}  // namespace

awaitable<Result<http::Response>> get_sessions(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, owner_of(hub, call));
    const auto* current = hub.directory.find_session(call.visit.session_id);
    json::array sessions;
    for (const auto* session : hub.directory.sessions_of(user->id())) {
        sessions.emplace_back(json::object{
            {"id", id_of(*session)},
            {"created", format_rfc3339(session->created)},
            {"client_address", session->client_address},
            {"user_agent", session->user_agent},
            {"current", session == current && !call.who().by_token}});
    }
    co_return http::Response::json(200, json::object{{"sessions", std::move(sessions)}});
}

awaitable<Result<http::Response>> delete_session(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, owner_of(hub, call));
    for (const auto* session : hub.directory.sessions_of(user->id())) {
        if (id_of(*session) != call.arguments.at(1)) continue;
        auto audit = audit_of(call, "user.sign_out", user->name().value, "session " + id_of(*session));
        BERTH_CO_CHECK(
            co_await hub.directory.end_session_of_hash(user->id(), session->session_hash, std::move(audit)));
        co_return http::Response::empty(204);
    }
    co_return not_found("No such session");
}

// Everywhere: also what applications were given in those sessions, and cookies that are still on their way.
awaitable<Result<http::Response>> delete_sessions(Dependencies& hub, Call& call) {
    BERTH_CO_TRY(const auto* user, owner_of(hub, call));
    auto audit = audit_of(call, "user.sign_out_everywhere", user->name().value);
    auto end = identity::with_audit(hub.directory.prepare_end_of_sessions(user->id()), std::move(audit));
    BERTH_CO_CHECK(co_await hub.directory.commit(std::move(end)));
    co_return http::Response::empty(204);
}

}  // namespace berth::api
