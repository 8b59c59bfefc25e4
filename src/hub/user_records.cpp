#include "hub/user_records.hpp"

#include "hub/audit.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

namespace berth::hub {
namespace {

// The mutation and its audit record in one change.
store::Change with_audit(store::Change write, store::AuditRow audit) {
    return [write = std::move(write), audit = std::move(audit)](store::Transaction& t) {
        write(t);
        store::insert(t, audit);
    };
}

}  // namespace

awaitable<Result<void>> UserRecords::rename(access::Permit permit, UserName user, UserName to) {
    const auto claim = co_await context_.servers.claim(user);
    const auto* found = context_.directory.find(user);
    if (found == nullptr) co_return Error{HubErrc::no_such_user, "There is no such user."};
    if (to == user) co_return Result<void>{};
    for (const auto& server : context_.servers.of_user(user)) {
        if (server->active())
            co_return Error{
                HubErrc::not_stopped, "Stop the servers of " + user.value + " before renaming the user."};
    }
    BERTH_CO_TRY(auto mutation, context_.directory.prepare_rename(found->id(), to));
    auto change =
        with_audit(std::move(mutation.write), audit_of(permit, "user.rename", user.value, "to " + to.value));
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    mutation.apply();
    context_.servers.rename_user(user, to);
    co_return Result<void>{};
}

awaitable<Result<void>> UserRecords::remove(access::Permit permit, UserName user, Deadline deadline) {
    if (context_.directory.find(user) == nullptr)
        co_return Error{HubErrc::no_such_user, "There is no such user."};
    for (const auto& server : context_.servers.of_user(user)) {
        BERTH_CO_CHECK(co_await stop_.begin(permit, server->key));
    }
    for (const auto& server : context_.servers.of_user(user)) {
        const bool gone = co_await stop_.wait(server->key, deadline);
        if (!gone)
            co_return Error{
                HubErrc::stop_pending,
                "A server of " + user.value + " is still stopping. Try again in a few seconds."};
    }
    const auto claim = co_await context_.servers.claim(user);
    const auto* found = context_.directory.find(user);
    if (found == nullptr) co_return Result<void>{};  // somebody else removed it meanwhile
    for (const auto& server : context_.servers.of_user(user)) {
        if (server->active())
            co_return Error{
                HubErrc::not_stopped, "A server of " + user.value + " was started meanwhile. Try again."};
    }
    BERTH_CO_TRY(auto mutation, context_.directory.prepare_removal(found->id()));
    auto change = with_audit(std::move(mutation.write), audit_of(permit, "user.remove", user.value));
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    mutation.apply();
    for (const auto& server : context_.servers.of_user(user))
        context_.servers.remove(server->key);
    log::info("user.removed", {{"by", permit.principal_name()}});
    co_return Result<void>{};
}

}  // namespace berth::hub
