#include "http/server.hpp"

#include "async/deadline.hpp"
#include "http/impl/connection.hpp"
#include "obs/log.hpp"

namespace berth::http {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{1'000};

}  // namespace

struct Server::Impl {
    Impl(TaskScope& owner, net::Listener listening, std::shared_ptr<ServerContext> shared)
        : scope(owner), listener(std::move(listening)), local(listener.local()), context(std::move(shared)) {}

    static awaitable<> accept_all(std::shared_ptr<Impl> server);

    TaskScope& scope;
    net::Listener listener;
    net::Endpoint local;
    std::shared_ptr<ServerContext> context;
};

awaitable<> Server::Impl::accept_all(std::shared_ptr<Impl> server) {
    struct End {  // whatever ends it: no new connections, and the open ones close after their answer
        Impl& of;
        ~End() {
            of.context->stopping = true;
            of.listener.close();
        }
    } const end{*server};
    auto& context = *server->context;
    for (;;) {
        auto accepted = co_await server->listener.accept();
        if (!accepted) {
            log::error(
                "connection.accept_failed", {{"server", context.name}, {"reason", accepted.error().detail}});
            co_await sleep_for(kAcceptPause);
        } else if (context.connections >= context.limits.max_connections) {
            log::warn("connection.refused", {{"server", context.name}, {"connections", context.connections}});
            refuse_connection(context, std::move(*accepted));
        } else {
            server->scope.spawn(
                context.name + " connection", OnStop::drain, serve(server->context, std::move(*accepted)));
        }
    }
}

Server::Server(
    TaskScope& scope,
    net::Listener listener,
    std::string name,
    ServerLimits limits,
    bool trusted,
    Handler handler) {
    auto context = std::make_shared<ServerContext>();
    context->name = std::move(name);
    context->limits = std::move(limits);
    context->trusted = trusted;
    context->handler = std::move(handler);
    impl_ = std::make_shared<Impl>(scope, std::move(listener), std::move(context));
}

void Server::start() {
    impl_->scope.spawn(impl_->context->name + " listener", OnStop::cancel, Impl::accept_all(impl_));
}

net::Endpoint Server::local() const {
    return impl_->local;
}

}  // namespace berth::http
