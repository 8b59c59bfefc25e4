#include "http/server.hpp"

#include "async/deadline.hpp"
#include "http/impl/connection.hpp"
#include "obs/log.hpp"

#include <sys/socket.h>
#include <unistd.h>

namespace berth::http {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{1'000};

}  // namespace

struct Server::Impl {
    Impl(TaskScope& owner, net::Listener listening, std::shared_ptr<ServerContext> shared)
        : scope(owner), listener(std::move(listening)), local(listener.local()), context(std::move(shared)) {}

    static awaitable<> accept_all(std::shared_ptr<Impl> server);
    void take(net::Socket socket);
    void take_secure(net::Socket socket);

    TaskScope& scope;
    net::Listener listener;
    net::Endpoint local;
    std::shared_ptr<ServerContext> context;
    std::shared_ptr<net::TlsCertificate> certificate;
};

void Server::Impl::take(net::Socket socket) {
    scope.spawn(context->name + " connection", OnStop::drain, serve(context, std::move(socket)));
}

void Server::Impl::take_secure(net::Socket socket) {
    auto executor = socket.get_executor();
    auto take_plain = [this, executor](int plain) {
        net::Socket inner(executor);
        boost::system::error_code failure;
        inner.assign(asio::generic::stream_protocol(AF_UNIX, 0), plain, failure);
        if (failure)
            ::close(plain);
        else
            take(std::move(inner));
    };
    scope.spawn(
        context->name + " tls",
        OnStop::drain,
        net::terminate_tls(certificate->current(), std::move(socket), take_plain));
}

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
            server->certificate ? server->take_secure(std::move(*accepted))
                                : server->take(std::move(*accepted));
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

void Server::require_tls(std::shared_ptr<net::TlsCertificate> certificate) {
    impl_->certificate = std::move(certificate);
}

void Server::start() {
    impl_->scope.spawn(impl_->context->name + " listener", OnStop::cancel, Impl::accept_all(impl_));
}

net::Endpoint Server::local() const {
    return impl_->local;
}

net::Listener& Server::listener() {
    return impl_->listener;
}

}  // namespace berth::http
