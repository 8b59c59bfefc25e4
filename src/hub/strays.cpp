#include "hub/strays.hpp"

#include "hub/errors.hpp"
#include "hub/profiles.hpp"
#include "identity/names.hpp"
#include "identity/server_credentials.hpp"
#include "obs/log.hpp"
#include "spawn/environment.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

namespace {

Error not_adopted(std::string why) {
    return Error{HubErrc::not_stopped, std::move(why)};
}

spawn::StartPlan plan_of(const Context& context, const spawn::Found& found) {
    spawn::StartPlan plan;
    plan.instance = context.instance;
    plan.key = found.key;
    plan.server = found.server;
    plan.generation = found.generation;
    plan.devices = found.devices;
    plan.service_prefix = spawn::service_prefix(context.options.base_path(), found.key);
    return plan;
}

// No row says what it was granted for: what its server was last asked with is the best guess.
gpu::LeaseTerms terms_of(const Context& context, const store::ServerRow& row) {
    const auto person = person_of(context.directory, *context.directory.find(row.user));
    const auto project = chosen_project(context.options.gpu, person, row.user_options);
    return {.expires_at = {}, .profile = row.profile, .project = project ? *project : std::string()};
}

store::AuditRow audit_of(const spawn::Found& found) {
    store::AuditRow audit;
    audit.at = now_utc();
    audit.principal = "system:reconcile";
    audit.action = "server.adopt";
    audit.target = found.key.full_name();
    audit.permit = "servers";
    audit.result = "ok";
    audit.detail = found.object_name;
    return audit;
}

}  // namespace

awaitable<> Strays::settle(std::vector<spawn::Found> strays) {
    std::sort(strays.begin(), strays.end(), [](const auto& a, const auto& b) {
        return std::pair(a.created, a.object_name) < std::pair(b.created, b.object_name);
    });
    std::vector<spawn::Found> unknown;
    for (auto& found : strays) {
        if (knows(found))
            reaper_.remove_stray(std::move(found));
        else
            unknown.push_back(std::move(found));
    }
    for (const auto& found : unknown)
        context_.ids.skip_past(found.server);
    for (auto& found : unknown) {
        auto adopted = co_await adopt(found);
        if (adopted) {
            log::warn(
                "server.adopted_unknown", {{"server", found.key.full_name()}, {"object", found.object_name}});
            continue;
        }
        log::error(
            "stray.not_adopted",
            {{"object", found.object_name},
             {"server", found.key.full_name()},
             {"why", adopted.error().message}});
        reaper_.remove_stray(std::move(found));
    }
}

// A start that this database has seen, and has seen end.
bool Strays::knows(const spawn::Found& found) const {
    const auto server = context_.servers.find(found.server);
    if (server) return found.generation <= server->row.generation || server->key != found.key;
    return context_.ids.knows(found.server);
}

Result<void> Strays::may_adopt(const spawn::Found& found) const {
    if (found.liveness != spawn::Liveness::running) return not_adopted("It does not run.");
    if (context_.directory.find(found.key.user) == nullptr) return not_adopted("There is no such user.");
    if (!found.key.server.empty() && !identity::server_name(found.key.server.value))
        return not_adopted("Its name is no server's.");
    const auto same_name = context_.servers.find(found.key);
    if (same_name && same_name->row.id != found.server)
        return not_adopted("The user has another server of that name.");
    if (same_name && same_name->active()) return not_adopted("The server is active already.");
    return {};
}

awaitable<Result<void>> Strays::adopt(spawn::Found found) {
    const auto claim = co_await context_.servers.claim(found.key.user);
    BERTH_CO_CHECK(may_adopt(found));
    const auto plan = plan_of(context_, found);
    BERTH_CO_TRY(
        auto token, co_await context_.spawner.token_of(plan, found.endpoint.state, Deadline::in(10s)));
    BERTH_CO_CHECK(may_adopt(found));
    const auto existing = context_.servers.find(found.server);
    store::ServerRow row;
    if (existing) {
        row = existing->row;
    } else {
        row.id = found.server;
        row.user = context_.directory.find(found.key.user)->id();
        row.name = found.key.server;
        row.display_name = found.key.server.value;
    }
    std::optional<gpu::Leases::Granted> lease;
    if (!found.devices.empty()) {
        const auto id = context_.ids.next<LeaseId>();
        BERTH_CO_TRY(
            auto granted,
            context_.leases.adopt(
                id, row.user, row.id, found.generation, found.devices, now_utc(), terms_of(context_, row)));
        lease = std::move(granted);
        lease->row.state = store::LeaseState::active;
        lease->row.container = found.object_name;
    }
    co_return co_await take_in(std::move(row), std::move(found), std::move(lease), std::move(token));
}

awaitable<Result<void>> Strays::take_in(
    store::ServerRow row, spawn::Found found, std::optional<gpu::Leases::Granted> lease, Secret token) {
    auto plan = plan_of(context_, found);
    if (lease) plan.lease = lease->row.id;
    const bool fresh = !context_.servers.find(found.server);
    const auto now = now_utc();
    row.lifecycle = Lifecycle::ready;
    row.generation = found.generation;
    row.spawner = context_.spawner.name();
    row.spawn_plan = plan.to_stored();
    row.spawn_state = found.endpoint.state;
    row.target_url = found.endpoint.url;
    row.started = found.created.value_or(now);
    row.last_activity = now;
    row.failure.clear();
    row.stopped_because.clear();
    row.keep_count = 0;
    row.kept_until.reset();
    context_.directory.put_server(row.id, row.user, row.name);
    BERTH_CO_TRY(
        auto credentials,
        identity::credentials_for_token(
            context_.directory, row.id, found.key, plan.service_prefix, std::move(token), now));
    std::optional<store::LeaseRow> lease_row;
    std::vector<store::UsageIntervalRow> usage;
    if (lease) {
        lease_row = lease->row;
        usage = context_.leases.usage_of(lease->row, context_.ids, now);
    }
    const auto audit = audit_of(found);
    store::Change change =
        [row, fresh, lease_row, usage, audit, write = credentials.mutation.write](store::Transaction& t) {
            if (fresh)
                store::insert(t, row);
            else
                store::update(t, row);
            if (lease_row) store::insert(t, *lease_row);
            for (const auto& interval : usage)
                store::insert(t, interval);
            write(t);
            store::insert(t, audit);
        };
    const auto committed = co_await context_.store.commit(std::move(change));
    if (!committed) {
        if (fresh) context_.directory.drop_server(row.id);
        co_return committed.error();
    }
    credentials.mutation.apply();
    if (lease) {
        std::move(lease->claim).keep();
        context_.leases.apply(*lease_row);
    }
    if (fresh) context_.servers.add(found.key, row);
    const auto server = context_.servers.find(found.server);
    server->row = std::move(row);
    server->failure.reset();
    if (lease_row) server->lease = lease_row->id;
    server->devices = found.devices;
    server->changed.notify_all();
    if (server->unreachable()) co_return Result<void>{};
    co_await lead_to(context_, server, server->row.target_url);
    co_return Result<void>{};
}

}  // namespace berth::hub
