#include "hub/activity.hpp"

#include "hub/errors.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <algorithm>

namespace berth::hub {

using namespace std::chrono_literals;

void Activity::touch(Server& server, Timestamp at) {
    const auto now = now_utc();
    at = std::min(at, now);  // a server whose clock is ahead (hub-protocol §5) worked now
    const auto& last = server.row.last_activity;
    if (last && *last >= at && *last <= now) return;
    server.row.last_activity = at;
    unwritten_[server.row.id] = at;
}

Result<void> Activity::record(const access::Permit&, const UserName& user, const ActivityReport& report) {
    const auto* owner = context_.directory.find(user);
    if (owner == nullptr) return Error{HubErrc::no_such_user, "There is no such user."};
    for (const auto& [name, at] : report.servers) {
        if (!context_.servers.find({user, name}))
            return Error{
                HubErrc::no_such_server, "There is no server '" + name.value + "' of " + user.value + "."};
    }
    for (const auto& [name, at] : report.servers)
        touch(*context_.servers.find({user, name}), at);
    if (report.user) context_.directory.touch(owner->id(), *report.user);
    return {};
}

awaitable<> Activity::flush() {
    auto times = co_await context_.routes.activity(Deadline::in(5s));
    if (times) {
        const auto base = context_.options.base_path();
        for (const auto& server : context_.servers.all()) {
            const auto seen = times->find(server->prefix(base));
            if (!server->ready() || seen == times->end()) continue;
            touch(*server, seen->second);
            // Images that never report are used by their owner nevertheless (hub-protocol §5).
            context_.directory.touch(server->row.user, seen->second);
        }
    }
    auto batch = std::exchange(unwritten_, {});
    if (!batch.empty()) {
        store::Change change = [batch](store::Transaction& t) {
            for (const auto& [id, at] : batch)
                store::touch_server(t, id, at);
        };
        auto written = co_await context_.store.commit(std::move(change));
        if (!written) {
            log::warn("activity.delayed", {{"detail", written.error().detail}});
            unwritten_.merge(batch);
        }
    }
    auto flushed = co_await context_.directory.flush_activity();
    if (!flushed) log::warn("activity.delayed", {{"detail", flushed.error().detail}});
}

awaitable<> Activity::run() {
    for (;;) {
        co_await sleep_for(60s);
        co_await flush();
    }
}

}  // namespace berth::hub
