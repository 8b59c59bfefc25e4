// Leases with an end: when a server's is over, who may move it, and whose GPU was never used.
#include "hub/audit.hpp"
#include "hub/cull.hpp"
#include "hub/notify.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>
#include <vector>

namespace berth::hub {
namespace {

Error refused(std::string why) {
    return {HubErrc::no_more_extensions, std::move(why)};
}

}  // namespace

// Limits, people who wait, and GPUs that may end or may never be used.
bool Culler::has_work() const {
    const auto& leases = context_.leases.all();
    return sets_limits(context_.options.cull) || reclaims() ||
           std::any_of(
               leases.begin(), leases.end(), [](const auto& each) { return each.second.server.has_value(); });
}

std::optional<Timestamp> Culler::lease_end_of(const Server& server) const {
    if (context_.options.gpu.lease.length.count() == 0 || !server.lease) return std::nullopt;
    const auto* lease = context_.leases.find(*server.lease);
    return lease == nullptr ? std::nullopt : lease->expires_at;
}

Ending Culler::lease_ending(const Server& server, const CullDecision& decision) const {
    Ending ending{now_utc() + decision.left, EndReason::lease, 0, context_.options.gpu.lease.length, {}};
    const auto* lease = server.lease ? context_.leases.find(*server.lease) : nullptr;
    if (lease == nullptr) return ending;
    const auto wanted = end_wanted(*lease, std::nullopt);
    if (!wanted)
        ending.no_extension = wanted.error().message;
    else if (const auto refusal = queue_.extension_refusal(lease->id, *wanted))
        ending.no_extension = *refusal;
    else
        ending.extensions_left = 1;
    return ending;
}

// Where the end would be moved to, by the lengths that the configuration allows.
Result<Timestamp> Culler::end_wanted(const store::LeaseRow& lease, std::optional<Timestamp> until) const {
    const auto& options = context_.options.gpu.lease;
    auto wanted = until.value_or(now_utc() + options.length);
    if (options.longest.count() > 0) {
        const Timestamp last = lease.created + options.longest;
        if (wanted > last && (until || last <= *lease.expires_at))
            return refused(
                "A GPU may be kept for " + in_words(options.longest) +
                " at most (gpu.lease.longest), which is until " + format_rfc3339(last) + ".");
        wanted = std::min(wanted, last);
    }
    if (wanted <= *lease.expires_at)
        return refused("It has its GPU until " + format_rfc3339(*lease.expires_at) + " already.");
    return wanted;
}

awaitable<Result<Timestamp>> Culler::extend_lease(
    access::Permit permit, ServerKey key, std::optional<Timestamp> until) {
    const auto claim = co_await context_.servers.claim(key.user);
    const auto server = context_.servers.find(key);
    if (!server) co_return Error{HubErrc::no_such_server, "There is no such server."};
    co_return co_await extend_held(std::move(permit), server, until);
}

// With the user's claim held: whoever is about to stop the server looks again when it has it.
awaitable<Result<Timestamp>> Culler::extend_held(
    access::Permit permit, std::shared_ptr<Server> server, std::optional<Timestamp> until) {
    const auto end = server->ready() && !server->reaping ? lease_end_of(*server) : std::nullopt;
    if (!end)
        co_return Error{
            HubErrc::no_end_near, "Its GPUs have no end of their own, so there is nothing to extend."};
    const auto id = *server->lease;
    BERTH_CO_TRY(const auto wanted, end_wanted(*context_.leases.find(id), until));
    if (const auto refusal = queue_.extend(id, wanted)) co_return refused(*refusal);
    store::Change change =
        [id,
         wanted,
         audit = audit_of(permit, "gpu.extend", server->key.full_name(), "until " + format_rfc3339(wanted))](
            store::Transaction& t) {
            store::move_lease_end(t, id, wanted);
            store::insert(t, audit);
        };
    const auto committed = co_await context_.store.commit(std::move(change));
    const auto* lease = context_.leases.find(id);
    if (!committed || lease == nullptr) {
        queue_.settle(id);  // what was promised goes back
        if (!committed) co_return committed.error();
        co_return refused("The server has just ended.");
    }
    auto row = *lease;
    row.expires_at = wanted;
    context_.leases.apply(row);
    auto& seen = watch(*server, std::chrono::steady_clock::now());
    if (seen.lease_end) *seen.lease_end += wanted - *end;
    log::info("lease.extended", {{"server", server->key.full_name()}, {"until", format_rfc3339(wanted)}});
    go_on(*server);
    co_return wanted;
}

awaitable<Result<void>> Culler::follow_clock(std::chrono::microseconds moved) {
    std::vector<store::LeaseRow> rows;
    for (const auto& [id, row] : context_.leases.all()) {
        if (!row.server || !row.expires_at || !context_.leases.is_durable(id)) continue;
        rows.push_back(row);
        *rows.back().expires_at += moved;
    }
    if (rows.empty()) co_return Result<void>{};
    store::Change change = [rows](store::Transaction& t) {
        for (const auto& row : rows)
            store::move_lease_end(t, row.id, *row.expires_at);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    for (const auto& moved_row : rows) {
        const auto* lease = context_.leases.find(moved_row.id);
        if (lease == nullptr || !lease->expires_at) continue;
        auto row = *lease;
        *row.expires_at += moved;
        context_.leases.apply(row);
    }
    co_return Result<void>{};
}

// Only of what this hub has seen from its start: what was before, nobody knows.
void Culler::hint(Server& server, Steady now) {
    auto& seen = watch(server, now);
    if (seen.hinted || seen.gpu_used || !server.lease || seen.clock.age(now) < hint_after_) return;
    if (gpus_.unknown(server)) return;
    seen.hinted = true;
    const bool read = std::all_of(server.devices.begin(), server.devices.end(), [this](const auto& uuid) {
        const auto* device = context_.inventory.find(uuid);
        return device != nullptr && device->reading && device->reading->utilisation_percent;
    });
    if (seen.clock.age(now) > now - began_ || !read) return;
    server.hint =
        "Its GPU has not been used since it started, " + in_words(hint_after_) +
        " ago. If you do not need one, a profile without a GPU starts at once and leaves it to others.";
    log::info("server.gpu_unused", {{"server", server.key.full_name()}});
    server.changed.notify_all();
    if (context_.notices != nullptr) context_.notices->unused(server);
}

}  // namespace berth::hub
