#include "hub/stop_server.hpp"

#include "obs/log.hpp"
#include "store/queries.hpp"

namespace berth::hub {

awaitable<Result<void>> StopServer::begin(access::Permit permit, ServerKey key) {
    const auto claim = co_await context_.servers.claim(key.user);
    const auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    if (!server->active() || server->reaping) co_return Result<void>{};
    store::AuditRow audit;
    audit.at = now_utc();
    audit.principal = permit.principal_name();
    audit.action = "server.stop";
    audit.target = key.full_name();
    audit.permit = permit.scope();
    audit.result = "ok";
    context_.store.commit_later([audit](store::Transaction& t) { store::insert(t, audit); });
    log::info("server.stop_requested", {{"server", key.full_name()}, {"by", permit.principal_name()}});
    if (server->attempt)
        server->attempt->request();  // the attempt ends in the reaper
    else
        reaper_.finish(server, std::nullopt, "stopped");
    co_return Result<void>{};
}

awaitable<bool> StopServer::wait(ServerKey key, Deadline deadline) {
    const auto server = context_.servers.find(key);
    if (!server) co_return true;
    co_return co_await reaper_.wait_until_gone(server, deadline);
}

}  // namespace berth::hub
