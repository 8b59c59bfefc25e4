#include "hub/server_records.hpp"

#include "hub/audit.hpp"
#include "identity/names.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {
namespace {

Error exists(const ServerKey& key) {
    return Error{HubErrc::server_exists, "A server named '" + key.server.value + "' exists already."};
}

}  // namespace

Result<void> ServerRecords::may_create(const ServerKey& key) const {
    if (context_.directory.find(key.user) == nullptr)
        return Error{HubErrc::no_such_user, "There is no user of that name."};
    if (key.server.empty()) return {};
    const auto& limits = context_.options.spawn;
    if (!limits.allow_named_servers)
        return Error{HubErrc::named_servers_off, "Named servers are not enabled here."};
    const auto valid = identity::server_name(key.server.value);
    if (!valid) return Error{HubErrc::server_name_invalid, valid.error().message, valid.error().detail};
    const auto owned = context_.servers.of_user(key.user);
    const auto named = static_cast<std::size_t>(
        std::count_if(owned.begin(), owned.end(), [](const auto& s) { return !s->key.server.empty(); }));
    if (limits.named_server_limit_per_user != 0 && named >= limits.named_server_limit_per_user)
        return Error{
            HubErrc::server_limit,
            "You have " + std::to_string(named) +
                " named servers already, which is the limit. Delete one first."};
    return {};
}

awaitable<Result<std::shared_ptr<Server>>> ServerRecords::create(
    access::Permit permit, ServerKey key, RecordChange with) {
    const auto claim = co_await context_.servers.claim(key.user);
    if (key.server.empty() || context_.servers.find(key)) co_return exists(key);
    BERTH_CO_CHECK(may_create(key));
    store::ServerRow row;
    row.id = context_.ids.next<ServerId>();
    row.user = context_.directory.find(key.user)->id();
    row.name = key.server;
    row.display_name = key.server.value;
    if (with.display_name) {
        BERTH_CO_TRY(row.display_name, identity::display_name(*with.display_name));
    }
    if (with.user_options) row.user_options = *with.user_options;
    const auto audit = audit_of(permit, "server.create", key.full_name());
    store::Change change = [row, audit](store::Transaction& t) {
        store::insert(t, row);
        store::insert(t, audit);
    };
    const auto committed = co_await context_.store.commit(std::move(change));
    if (!committed) {
        if (committed.error().is(store::StoreErrc::constraint)) co_return exists(key);
        co_return committed.error();
    }
    context_.directory.put_server(row.id, row.user, row.name);
    context_.servers.add(key, std::move(row));
    co_return context_.servers.find(key);
}

awaitable<Result<std::shared_ptr<Server>>> ServerRecords::change(
    access::Permit permit, ServerKey key, RecordChange to) {
    const auto claim = co_await context_.servers.claim(key.user);
    const bool renames = to.name && *to.name != key.server;
    if ((to.name || to.display_name) && !context_.options.spawn.allow_named_servers)
        co_return Error{HubErrc::named_servers_off, "Named servers are not enabled here."};
    if (renames && !to.name->empty()) {
        const auto valid = identity::server_name(to.name->value);
        if (!valid) co_return Error{HubErrc::server_name_invalid, valid.error().message};
    }
    const auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    if (server->active()) co_return Error{HubErrc::not_stopped, "Stop the server first; it is running."};
    const ServerKey new_key{key.user, renames ? *to.name : key.server};
    if (renames && context_.servers.find(new_key)) co_return exists(new_key);
    // The default server becomes a named one more.
    if (renames && key.server.empty()) BERTH_CO_CHECK(may_create(new_key));
    auto row = server->row;
    row.name = new_key.server;
    if (to.user_options) row.user_options = *to.user_options;
    if (to.display_name && !to.display_name->empty()) {
        const auto shown = identity::display_name(*to.display_name);
        if (!shown) co_return Error{HubErrc::server_name_invalid, shown.error().message};
        row.display_name = *shown;
    }
    const auto audit = audit_of(permit, "server.change", key.full_name());
    store::Change change = [row, audit](store::Transaction& t) {
        store::update(t, row);
        store::insert(t, audit);
    };
    const auto committed = co_await context_.store.commit(std::move(change));
    if (!committed) {
        if (committed.error().is(store::StoreErrc::constraint)) co_return exists(new_key);
        co_return committed.error();
    }
    if (renames) {
        context_.servers.remove(key);
        context_.directory.put_server(row.id, row.user, row.name);
        context_.servers.add(new_key, std::move(row));
    } else {
        server->row = std::move(row);
    }
    co_return context_.servers.find(new_key);
}

awaitable<Result<void>> ServerRecords::remove(access::Permit permit, ServerKey key) {
    const auto claim = co_await context_.servers.claim(key.user);
    const auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    if (server->active()) co_return Error{HubErrc::not_stopped, "Stop the server first; it is running."};
    const auto id = server->row.id;
    const auto audit = audit_of(permit, "server.remove", key.full_name());
    store::Change change = [id, audit](store::Transaction& t) {
        store::remove_server(t, id);
        store::insert(t, audit);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    context_.directory.drop_server(id);
    context_.servers.remove(key);
    co_return Result<void>{};
}

void ServerRecords::remove_when_stopped(access::Permit permit, ServerKey key) {
    auto name = "remove " + key.full_name();
    context_.scope.spawn(std::move(name), OnStop::cancel, wait_and_remove(std::move(permit), std::move(key)));
}

awaitable<> ServerRecords::wait_and_remove(access::Permit permit, ServerKey key) {
    const auto server = context_.servers.find(key);
    const auto limit = Deadline::in(std::chrono::hours(1));
    while (server && server->active() && !limit.passed())
        (void)co_await server->changed.wait_until(limit);
    const auto removed = co_await remove(std::move(permit), key);
    if (!removed)
        log::warn("server.removal_failed", {{"server", key.full_name()}, {"why", removed.error().message}});
}

}  // namespace berth::hub
