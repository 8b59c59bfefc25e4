// One client connection of a worker, from its first byte to its close: reads a head, forwards the exchange to
// the route's target, and again. Written as callbacks rather than as a coroutine: both directions of an
// exchange run at once, and a request must cost little more than its four system calls.
//
// Always true: a read is pending on the client unless its buffer is full, so a client that leaves is seen at
// once and its exchange aborted. Nothing is read from one side while the other side has not taken what was
// read before. Files: session.cpp (life, heads), session_edge.cpp, session_request.cpp,
// session_response.cpp, session_tunnel.cpp.
#pragma once

#include "http/framing.hpp"
#include "http/websocket_frames.hpp"
#include "proxy/address_limit.hpp"
#include "proxy/client_stream.hpp"
#include "proxy/error_pages.hpp"
#include "proxy/forward_head.hpp"
#include "proxy/route_table.hpp"
#include "proxy/stream.hpp"
#include "proxy/upstream.hpp"

#include <boost/intrusive/list_hook.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace berth::proxy {

class Worker;
class Session;  // NOLINT(cppcoreguidelines-virtual-class-destructor): final, and deleted as what it is
using SessionPtr = boost::intrusive_ptr<Session>;
using SessionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// How a client came.
struct Arrival {
    std::string address;  // "" over a Unix socket
    Transport transport = Transport::plain;
    AddressLimit::SlotPtr slot;
    std::shared_ptr<net::TlsContext> tls;  // what TLS is spoken with; null: none
};

class Session final : public boost::intrusive_ref_counter<Session, boost::thread_unsafe_counter>,
                      public SessionHook,
                      private ClientStream::User,
                      private UpstreamUser {
public:
    Session(Worker& worker, Arrival arrival);
    Session(const Session&) = delete;
    ~Session();

    void start(int client, std::shared_ptr<net::TlsContext> tls);  // takes `client`; `tls` null: plain
    void sweep(std::int64_t now);  // the worker asks now and then whether a deadline has passed
    void drain();                  // idle: closes; else ends after the exchange
    bool is_tunnel() const { return state_ == State::tunnel; }
    void say_goodbye();  // a WebSocket: 1001 to the client, if no frame is under way; all else: abort()
    void abort();        // closes both sides at once
    void on_error_page(unsigned status, std::optional<ErrorPage> page);

private:
    enum class State {
        handshake,
        head,
        connecting,
        exchange,
        fetching_page,
        own_answer,
        tunnel,
        lingering,
        closed
    };

    // session.cpp
    void on_handshake(error_code failure) override;
    void read_client();
    void on_client_read(error_code failure, std::size_t count) override;
    void client_ended(error_code failure);
    void read_head();
    void refuse_head(const Error& why);
    void begin_exchange();
    RoutePtr find_route(const RequestTarget& target, std::string_view host, bool& undecodable);
    void finish_exchange();
    void linger();
    void set_deadline(std::chrono::milliseconds span);  // zero: none
    void answer_error(unsigned status);
    void answer(unsigned status, const ErrorPage& page);

    // session_edge.cpp
    bool answer_from_edge(const RequestTarget& target);

    // session_request.cpp
    bool can_keep_body() const;
    void use_upstream(bool fresh);
    void on_upstream_connected(error_code failure) override;
    void send_request();
    void pump_request();
    bool fill_request();
    bool fill_chunks(std::string_view data);
    bool flush_request();
    void on_upstream_writable() override;
    void settle_in_flight();
    void release_kept();
    void upstream_failed(std::string_view why);
    void drop_upstream();

    // session_response.cpp
    void on_upstream_read(error_code failure) override;
    void read_response();
    void begin_response();
    void pump_response();
    bool fill_response();
    void note_success();
    bool flush_client();
    void on_client_writable() override;

    // session_tunnel.cpp
    void begin_tunnel();
    void pump_up();
    void pump_down();
    void close_when_both_ended();

    Worker& worker_;
    SessionPtr self_;  // from start() to abort(): an open session owns itself
    ClientStream client_;
    const std::string client_address_;
    const Transport transport_;
    AddressLimit::SlotPtr slot_;
    Buffer client_in_;
    State state_ = State::head;
    bool client_reading_ = false;
    bool client_ended_ = false;
    bool last_read_filled_ = false;
    std::int64_t deadline_ = 0;  // monotonic milliseconds; 0: none

    // The request.
    http::RequestHead head_;
    RoutePtr route_;
    std::string scratch_;       // the decoded path
    std::string target_;        // as it was asked, for --error-target
    std::string host_;          // as it was asked, for --auto-rewrite
    std::string request_head_;  // as forwarded; kept for one more try
    http::BodyFraming body_;
    std::uint64_t body_left_ = 0;
    http::ChunkScanner request_chunks_;
    std::array<char, 20> chunk_line_{};
    Slices to_upstream_;
    std::size_t in_flight_ = 0;  // bytes of client_in_ that to_upstream_ refers to
    std::size_t kept_ = 0;       // sent, but kept in client_in_ for one more try
    bool keeps_body_ = false;
    bool head_begun_ = false;
    bool keep_alive_ = true;
    bool is_head_ = false;
    bool is_http_1_0_ = false;
    bool is_upgrade_ = false;
    bool may_repeat_ = false;
    bool tried_again_ = false;
    bool request_done_ = true;  // all of it has been given to to_upstream_
    bool request_writing_ = false;
    bool request_broken_ = false;  // the target takes no more; its answer may still come

    // The answer.
    UpstreamPtr upstream_;
    http::ResponseHead response_;
    http::ChunkScanner response_chunks_;
    std::uint64_t response_left_ = 0;
    Slices to_client_;
    std::string answer_head_;
    std::string answer_body_;
    std::size_t response_in_flight_ = 0;
    bool response_seen_ = false;   // a byte of it has come
    bool response_begun_ = false;  // its final head has been given to the client
    bool response_done_ = false;
    bool client_writing_ = false;
    bool keep_client_ = false;
    bool dechunk_ = false;
    bool upstream_ended_ = false;
    http::FrameBoundary frames_;  // of what a tunnel gives the client
};

std::int64_t monotonic_milliseconds();

}  // namespace berth::proxy
