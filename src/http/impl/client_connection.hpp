// One connection of a Client: sends a request, reads the answer's head, then its body piece by piece. Owned
// by the exchange that uses it, or idle in its client's pool; the client's strand.
#pragma once

#include "http/client.hpp"
#include "http/framing.hpp"
#include "http/impl/read_buffer.hpp"
#include "net/timed_socket.hpp"

#include <chrono>
#include <string>

namespace berth::http {

class ClientConnection {
public:
    ClientConnection(net::Endpoint peer, net::Socket socket);

    // Errors: timeout, closed_early, malformed_response.
    awaitable<Result<void>> exchange_heads(const ClientRequest& request, Deadline deadline);
    // "" at the end. Errors as above.
    awaitable<Result<std::string>> read_body_piece(Deadline deadline);

    unsigned status() const { return status_; }
    Headers& headers() { return headers_; }
    // Whether any byte of an answer to the last request came.
    bool got_bytes() const { return got_bytes_; }
    // The answer has been read to its end and another request may follow.
    bool is_reusable() const { return ended_ && keep_alive_ && buffer_.empty(); }
    void begin_exchange() { ended_ = false, chunks_ = ChunkScanner(); }
    // Idle for less than that, and the peer has neither closed nor said anything meanwhile.
    bool is_usable(std::chrono::milliseconds longest_idle);
    void note_idle();

private:
    awaitable<Result<bool>> fill(Deadline deadline);  // false: the peer has closed
    Result<std::string> take_body_bytes();

    net::Endpoint peer_;
    net::TimedSocket socket_;
    ReadBuffer buffer_;
    ResponseHead head_;
    Headers headers_;
    ChunkScanner chunks_;
    BodyFraming framing_;
    std::uint64_t left_ = 0;
    unsigned status_ = 0;
    bool keep_alive_ = false;
    bool ended_ = false;
    bool got_bytes_ = false;
    std::chrono::steady_clock::time_point idle_since_;
};

}  // namespace berth::http
