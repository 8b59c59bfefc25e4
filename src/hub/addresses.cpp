#include "hub/addresses.hpp"

#include "async/back_off.hpp"
#include "hub/reaper.hpp"
#include "obs/log.hpp"
#include "store/queries.hpp"

#include <utility>

namespace berth::hub {

using namespace std::chrono_literals;

Error cut_off_while_starting() {
    return Error{
        spawn::SpawnErrc::backend_failed,
        "The server lost its network while it started. Please start it again; if it happens again, tell the "
        "administrator that something takes containers off the network of docker.network."};
}

void Addresses::is_at(const std::shared_ptr<Server>& server, const std::string& url) {
    if (server->reaping) return;
    if (server->attempt) {
        if (!url.empty()) return;  // which address it has is the attempt's to find out
        server->cut_off = cut_off_while_starting();
        server->attempt->request();
        return;
    }
    if (!server->ready()) return;
    if (server->moving_to) {
        server->moving_to = url;  // the one that follows sees it
    } else if (url != server->row.target_url) {
        server->moving_to = url;
        auto name = "follow " + server->key.full_name();
        context_.scope.spawn(std::move(name), OnStop::cancel, follow(server));
    }
    if (server->moving_to) context_.routes.forget(server->prefix(context_.options.base_path()));
}

// One at a time for a server, so that what was seen last is what stays.
awaitable<> Addresses::follow(std::shared_ptr<Server> server) {
    BackOff pause;
    while (server->ready() && !server->reaping && *server->moving_to != server->row.target_url) {
        const auto moved = co_await move(server, *server->moving_to);
        if (moved) continue;
        log::error("store.failed", {{"act", "move server"}, {"detail", moved.error().detail}});
        co_await pause.wait();
    }
    server->moving_to.reset();
}

awaitable<Result<void>> Addresses::move(std::shared_ptr<Server> server, std::string url) {
    const auto generation = server->row.generation;
    (void)co_await context_.routes.withdraw(server->prefix(context_.options.base_path()), Deadline::in(5s));
    store::Change change = [id = server->row.id, url](store::Transaction& t) {
        store::move_server(t, id, url);
    };
    BERTH_CO_CHECK(co_await context_.store.commit(std::move(change)));
    if (server->row.generation != generation || !server->ready()) co_return Result<void>{};
    server->row.target_url = url;
    server->changed.notify_all();
    if (url.empty()) {
        const auto* state = server->row.spawn_state.if_object();
        log::error(
            "server.cut_off",
            {{"server", server->key.full_name()},
             {"object", state ? string_at(*state, "object_name").value_or("") : ""},
             {"why", "it was taken off its network"},
             {"act", "connect it to docker.network again, or stop it"}});
        co_return Result<void>{};
    }
    log::info("server.moved", {{"server", server->key.full_name()}, {"to", url}});
    if (server->reaping || server->moving_to != url) co_return Result<void>{};
    co_await lead_to(context_, server, std::move(url));
    co_return Result<void>{};
}

}  // namespace berth::hub
