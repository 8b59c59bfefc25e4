#include "http/client.hpp"

#include "http/impl/client_connection.hpp"

#include <vector>

namespace berth::http {
namespace {

constexpr std::chrono::milliseconds kLongestIdle{60'000};

bool is_safe(Method method) {
    return method == Method::get || method == Method::head || method == Method::options;
}

}  // namespace

std::string_view text_of(ClientErrc reason) {
    switch (reason) {
        case ClientErrc::unreachable:
            return "the server cannot be reached";
        case ClientErrc::timeout:
            return "the server took too long";
        case ClientErrc::malformed_response:
            return "the server's answer is malformed";
        case ClientErrc::body_too_large:
            return "the server's answer is too large";
        case ClientErrc::closed_early:
            return "the server closed the connection too early";
    }
    return "unknown client error";
}

using ConnectionPointer = std::unique_ptr<ClientConnection>;

struct Client::Impl {
    net::Endpoint peer;
    Connector connector;
    std::size_t max_body_bytes = 0;
    std::size_t max_idle = 0;
    std::vector<ConnectionPointer> idle;  // the one used last is at the end

    ConnectionPointer take_idle() {
        while (!idle.empty()) {
            auto connection = std::move(idle.back());
            idle.pop_back();
            if (connection->is_usable(kLongestIdle)) return connection;
        }
        return nullptr;
    }

    void give_back(ConnectionPointer connection) {
        if (!connection->is_reusable() || idle.size() >= max_idle) return;
        connection->note_idle();
        idle.push_back(std::move(connection));
    }

    awaitable<Result<ConnectionPointer>> connect(Deadline deadline) const {
        auto connected = co_await connector(deadline);
        if (connected) co_return std::make_unique<ClientConnection>(peer, std::move(*connected));
        const auto error = connected.error();
        const auto reason =
            error.is(net::NetErrc::connect_timeout) ? ClientErrc::timeout : ClientErrc::unreachable;
        co_return Error{reason, error.message, error.detail};
    }

    // A connection on which the head of the answer has come.
    awaitable<Result<ConnectionPointer>> begin(const ClientRequest& request, Deadline deadline) {
        if (auto reused = take_idle()) {
            reused->begin_exchange();
            const auto exchanged = co_await reused->exchange_heads(request, deadline);
            if (exchanged) co_return std::move(reused);
            const auto error = exchanged.error();
            const bool again =
                error.is(ClientErrc::closed_early) && !reused->got_bytes() && is_safe(request.method);
            if (!again) co_return error;
        }
        BERTH_CO_TRY(auto fresh, co_await connect(deadline));
        BERTH_CO_CHECK(co_await fresh->exchange_heads(request, deadline));
        co_return std::move(fresh);
    }
};

namespace {

class Stream final : public ClientStream {
public:
    using GiveBack = std::function<void(ConnectionPointer)>;
    Stream(ConnectionPointer connection, GiveBack give_back)
        : connection_(std::move(connection)),
          give_back_(std::move(give_back)),
          status_(connection_->status()),
          headers_(std::move(connection_->headers())) {}

    unsigned status() const override { return status_; }
    const Headers& headers() const override { return headers_; }

    awaitable<Result<std::string>> read(Deadline deadline) override {
        if (!connection_) co_return std::string();
        BERTH_CO_TRY(auto piece, co_await connection_->read_body_piece(deadline));
        if (piece.empty()) give_back_(std::move(connection_));
        co_return piece;
    }

private:
    ConnectionPointer connection_;  // none once the end has been read
    GiveBack give_back_;
    unsigned status_;
    Headers headers_;
};

}  // namespace

Client::Client(net::Endpoint to, std::size_t max_body_bytes, std::size_t max_idle)
    : impl_(std::make_shared<Impl>()) {
    impl_->connector = [to](Deadline deadline) { return net::connect(to, deadline); };
    impl_->peer = std::move(to);
    impl_->max_body_bytes = max_body_bytes;
    impl_->max_idle = max_idle;
}

Client::Client(net::Endpoint to, Connector connector, std::size_t max_body_bytes)
    : Client(std::move(to), max_body_bytes) {
    impl_->connector = std::move(connector);
}

Client::~Client() = default;

const net::Endpoint& Client::endpoint() const {
    return impl_->peer;
}

awaitable<Result<ClientResponse>> Client::send(ClientRequest request, Deadline deadline) {
    const auto impl = impl_;
    BERTH_CO_TRY(auto connection, co_await impl->begin(request, deadline));
    ClientResponse response;
    response.status = connection->status();
    response.headers = std::move(connection->headers());
    for (;;) {
        BERTH_CO_TRY(const auto piece, co_await connection->read_body_piece(deadline));
        if (piece.empty()) break;
        if (piece.size() > impl->max_body_bytes - response.body.size()) {
            co_return Error{
                ClientErrc::body_too_large, impl->peer.to_string() + " sent more than is accepted from it."};
        }
        response.body += piece;
    }
    impl->give_back(std::move(connection));
    co_return response;
}

awaitable<Result<std::unique_ptr<ClientStream>>> Client::open(ClientRequest request, Deadline deadline) {
    const auto impl = impl_;
    BERTH_CO_TRY(auto connection, co_await impl->begin(request, deadline));
    auto give_back = [weak = std::weak_ptr<Impl>(impl)](ConnectionPointer used) {
        if (const auto alive = weak.lock()) alive->give_back(std::move(used));
    };
    std::unique_ptr<ClientStream> stream =
        std::make_unique<Stream>(std::move(connection), std::move(give_back));
    co_return std::move(stream);
}

}  // namespace berth::http
