// One client's connection to a Server: reads requests one after the other, has the handler answer each,
// writes the answer. Owned by its coroutine, serve(); the hub's strand.
#pragma once

#include "http/impl/read_buffer.hpp"
#include "http/impl/wire.hpp"
#include "http/server.hpp"
#include "net/timed_socket.hpp"

#include <memory>
#include <string>

namespace berth::http {

// What all connections of one server share.
struct ServerContext {
    std::string name;
    ServerLimits limits;
    bool trusted = false;
    Handler handler;
    std::size_t connections = 0;
    bool stopping = false;  // answer what has been read, then close
};

awaitable<> serve(std::shared_ptr<ServerContext> server, net::Socket socket);
// Best effort, without waiting: for a connection that is not served at all.
void refuse_connection(const ServerContext& server, net::Socket socket);

class Connection {
public:
    Connection(std::shared_ptr<ServerContext> server, net::Socket socket);
    Connection(const Connection&) = delete;
    ~Connection();
    awaitable<> run();

private:
    enum class Outcome { request, refused, ended };

    awaitable<bool> await_request();
    awaitable<Outcome> read_request(Request& request);
    awaitable<Outcome> read_head();
    awaitable<Outcome> read_body(std::string& body, BodyFraming framing);
    Outcome take_body_bytes(std::string& body, BodyFraming framing, ChunkScanner& chunks, bool& done);
    awaitable<Outcome> fill(Deadline deadline);
    Outcome refuse(unsigned status, const std::string& message);
    Outcome refuse(const Error& reason);

    awaitable<bool> answer(Request request);
    awaitable<Response> respond(Request request);
    awaitable<bool> send(const Response& response);
    awaitable<bool> send_stream(const Response& response);
    awaitable<error_code> write(std::string_view first, std::string_view second);
    awaitable<> send_refusal();
    awaitable<> drain();
    Response failure_response(const std::exception_ptr& failure);
    ConnectionOption connection_option() const;

    std::shared_ptr<ServerContext> server_;
    net::TimedSocket socket_;
    std::string peer_address_;
    bool from_this_machine_ = false;
    std::shared_ptr<const net::PeerCredentials> local_peer_;
    ReadBuffer buffer_;
    RequestHead head_;  // its views end with the next read
    std::string out_;   // reused
    Response refusal_;
    std::string path_;  // of the request that is answered, for the log: a query may hold a token
    Method method_ = Method::get;
    bool http_1_0_ = false;
    bool keep_alive_ = true;
    bool was_asked_ = false;  // once at least
};

}  // namespace berth::http
