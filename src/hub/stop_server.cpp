#include "hub/stop_server.hpp"

#include "hub/audit.hpp"
#include "obs/log.hpp"

namespace berth::hub {

awaitable<Result<void>> StopServer::begin(access::Permit permit, ServerKey key, StopWish wish) {
    const auto claim = co_await context_.servers.claim(key.user);
    const auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    if (!server->active() || server->reaping) co_return Result<void>{};
    if (wish.still_wanted && !wish.still_wanted(*server)) co_return Result<void>{};
    auto audit = audit_of(permit, "server.stop", key.full_name());
    if (!wish.sentence.empty()) audit.detail = wish.end_reason;
    // Committed by the reaper with the row. A full disk must not keep anybody from giving back what they
    // hold: then it waits for the commit that ends the lease, and the log says who asked. Asked twice while a
    // start is being cancelled: the first one did it.
    if (!server->stop_record) server->stop_record = std::move(audit);
    server->stop_sentence = std::move(wish.sentence);
    log::info(
        "server.stop_requested",
        {{"server", key.full_name()}, {"by", permit.principal_name()}, {"why", wish.end_reason}});
    if (server->attempt)
        server->attempt->request();  // the attempt ends in the reaper
    else
        reaper_.finish(server, std::nullopt, std::move(wish.end_reason));
    co_return Result<void>{};
}

awaitable<bool> StopServer::wait(ServerKey key, Deadline deadline) {
    const auto server = context_.servers.find(key);
    if (!server) co_return true;
    co_return co_await reaper_.wait_until_gone(server, deadline);
}

}  // namespace berth::hub
