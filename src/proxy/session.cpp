#include "proxy/session.hpp"

#include "base/text.hpp"
#include "obs/log.hpp"
#include "proxy/metrics.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/post.hpp>

#include <sys/socket.h>

#include <ctime>

namespace berth::proxy {
namespace {

constexpr std::size_t kSmallBuffer = 4 * 1024;
constexpr std::size_t kLargeBuffer = 64 * 1024;
constexpr http::HeadLimits kLimits;
constexpr std::chrono::milliseconds kLingerTime{2'000};
constexpr std::chrono::milliseconds kHandshakeTime{10'000};
constexpr std::string_view kHealthTarget = "/_chp_healthz";

std::string_view without_port(std::string_view host) {
    const auto colon = host.rfind(':');
    if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return host;
    return host.substr(0, colon);
}

}  // namespace

std::int64_t monotonic_milliseconds() {
    timespec now{};
    ::clock_gettime(
        CLOCK_MONOTONIC_COARSE, &now);  // deadlines are swept every half second, so 4 ms are exact enough
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Session::Session(Worker& worker, Arrival arrival)
    : worker_(worker),
      client_(worker.poll(), *this),
      client_address_(std::move(arrival.address)),
      transport_(arrival.transport),
      slot_(std::move(arrival.slot)),
      client_in_(kSmallBuffer) {
    count_open(Side::client, 1);
}

Session::~Session() {
    count_open(Side::client, -1);
}

void Session::start(int client, std::shared_ptr<net::TlsContext> tls) {
    self_ = this;
    if (client_.open(client, std::move(tls))) return abort();
    set_no_delay(client);
    if (client_.is_tls()) {
        state_ = State::handshake;
        set_deadline(kHandshakeTime);
        return client_.handshake();
    }
    set_deadline(worker_.options().head_timeout);
    read_client();
}

void Session::on_handshake(error_code failure) {
    const SessionPtr guard(this);
    if (failure) return abort();
    state_ = State::head;
    set_deadline(worker_.is_draining() ? kLingerTime : worker_.options().head_timeout);
    read_client();
}

void Session::set_deadline(std::chrono::milliseconds span) {
    deadline_ = span.count() == 0 ? 0 : monotonic_milliseconds() + span.count();
}

void Session::sweep(std::int64_t now) {
    if (deadline_ == 0 || now < deadline_) return;
    const SessionPtr guard(this);
    deadline_ = 0;
    if (state_ == State::connecting) return upstream_failed("it did not accept a connection in time");
    if (state_ == State::exchange && !response_begun_ && request_done_ && !request_writing_) {
        may_repeat_ = false;
        return upstream_failed("it did not answer in time");
    }
    if (state_ == State::head && !client_in_.empty()) {
        keep_alive_ = false;
        return answer(408, {"text/plain; charset=utf-8", {}, "The request did not arrive in time.\n"});
    }
    abort();
}

void Session::drain() {
    keep_alive_ = false;
    if (state_ == State::head && client_in_.empty()) abort();
}

void Session::abort() {
    if (state_ == State::closed) return;
    const SessionPtr guard(this);
    // The end of such a body is the end of the connection: an orderly one would make a part look like all.
    const bool ends_by_close = response_.body.kind == http::BodyKind::until_close || dechunk_;
    if (state_ == State::exchange && response_begun_ && !response_done_ && ends_by_close)
        reset_at_close(client_.native());
    if (state_ == State::head) client_.end();  // between two requests
    state_ = State::closed;
    drop_upstream();
    route_.reset();
    client_.close();
    slot_.reset();
    unlink();
    self_.reset();
}

void Session::read_client() {
    if (client_reading_ || client_ended_ || state_ == State::closed) return;
    if (in_flight_ == 0 && kept_ == 0) {
        if (client_in_.empty() && !keeps_body_) {
            const bool streams = state_ == State::tunnel || !request_done_;
            const auto wanted = streams && last_read_filled_ ? kLargeBuffer : kSmallBuffer;
            if (client_in_.capacity() != wanted) client_in_.resize(wanted);
        }
        client_in_.compact();
    }
    const auto space = client_in_.space();
    if (space.size() == 0) return;
    client_reading_ = true;
    client_.read(space);
}

void Session::on_client_read(error_code failure, std::size_t count) {
    const SessionPtr guard(this);
    client_reading_ = false;
    last_read_filled_ = count == client_in_.space().size();
    if (failure) return client_ended(failure);
    client_in_.commit(count);
    switch (state_) {
        case State::head:
            return read_head();
        case State::exchange:
            return pump_request();
        case State::tunnel:
            return pump_up();
        case State::lingering:
            client_in_.consume(client_in_.data().size());
            return read_client();
        case State::handshake:
        case State::connecting:
        case State::fetching_page:
        case State::own_answer:
        case State::closed:
            return read_client();
    }
}

void Session::client_ended(error_code failure) {
    client_ended_ = true;
    if (state_ == State::tunnel && failure == asio::error::eof) return pump_up();
    if (state_ == State::own_answer && failure == asio::error::eof)
        return;  // it may still read what we write
    abort();     // and with it the exchange: the one who asked has gone
}

void Session::read_head() {
    if (client_in_.empty()) return read_client();
    auto progress = http::read_request_head(client_in_.data(), kLimits, head_);
    if (!progress) return refuse_head(progress.error());
    if (*progress == http::HeadProgress::complete) return begin_exchange();
    if (client_in_.data().size() == client_in_.capacity()) client_in_.resize(client_in_.capacity() * 4);
    // The head's time runs from its first byte; later bytes do not prolong it.
    if (!head_begun_) set_deadline(worker_.options().head_timeout);
    head_begun_ = true;
    read_client();
}

void Session::refuse_head(const Error& why) {
    log::debug("request.refused", {{"peer", client_address_}, {"why", why.code.message()}});
    const bool too_large =
        why.is(http::FramingErrc::head_too_large) || why.is(http::FramingErrc::too_many_fields);
    keep_alive_ = false;
    is_upgrade_ = is_head_ = false;
    const unsigned status = too_large ? 431 : why.is(http::FramingErrc::unsupported_version) ? 505 : 400;
    answer(status, {"text/plain; charset=utf-8", {}, why.code.message() + "\n"});
}

RoutePtr Session::find_route(const RequestTarget& target, std::string_view host, bool& undecodable) {
    const auto path = decode_route_path(target.path, scratch_);
    undecodable = !path;
    if (!path) return nullptr;
    if (!worker_.options().host_routing) return worker_.routes().find(*path);
    std::string key = to_lower_ascii(without_port(host));
    key.append("/").append(trim_slashes(*path));
    return worker_.routes().find(key);
}

void Session::begin_exchange() {
    client_in_.consume(head_.bytes);  // the views of head_ stay valid until the next read
    head_begun_ = false;
    keep_alive_ = head_.keep_alive && !worker_.is_draining();
    is_head_ = head_.method == "HEAD";
    is_http_1_0_ = head_.minor_version == 0;
    body_ = head_.body;
    body_left_ = body_.kind == http::BodyKind::length ? body_.length : 0;
    request_done_ =
        body_.kind == http::BodyKind::none || (body_.kind == http::BodyKind::length && body_left_ == 0);
    is_upgrade_ = head_.upgrade && head_.method == "GET" && body_.kind == http::BodyKind::none &&
                  !is_http_1_0_ && has_token(http::find_field(head_.fields, "Upgrade"), "websocket");
    if (body_.kind == http::BodyKind::chunked) request_chunks_ = {};
    response_seen_ = response_begun_ = response_done_ = request_broken_ = upstream_ended_ = false;
    tried_again_ = false;
    deadline_ = 0;
    answer_head_.clear();
    route_.reset();
    target_.assign(head_.target);

    is_upgrade_ ? count_websocket() : count_web_request();
    if (head_.target == kHealthTarget) return answer(200, {"application/json", {}, R"({"status":"OK"})"});
    RequestTarget target;
    const auto host = http::find_field(head_.fields, "Host");
    const bool understood =
        split_target(head_.target, target) &&
        (target.authority.empty() || host.empty() || equals_ignoring_case(target.authority, host));
    if (!understood) {
        keep_alive_ = false;
        return answer(400, error_page(400, worker_.options()));
    }
    bool undecodable = false;
    route_ = find_route(target, host, undecodable);
    if (undecodable) return answer_error(500);
    if (!route_) return answer_error(404);
    if (answer_from_edge(target)) return;

    const auto& options = worker_.options();
    if (options.auto_rewrite) host_.assign(host);
    const auto path = options.include_prefix ? target.path : strip_components(target.path, route_->depth);
    const RequestForward how{
        target, path, client_address_, is_upgrade_ ? IsUpgrade::yes : IsUpgrade::no, transport_};
    request_head_.clear();
    write_request_head(request_head_, head_, how, route_->target, options);
    use_upstream(false);
}

void Session::finish_exchange() {
    route_.reset();
    const bool request_complete = request_done_ && !request_writing_;
    if (upstream_) {
        const bool reusable = request_complete && response_.keep_alive && upstream_->in.empty() &&
                              !upstream_ended_ && response_.body.kind != http::BodyKind::until_close &&
                              !request_broken_ && !is_upgrade_;
        if (reusable) {
            worker_.pool().put(std::move(upstream_), monotonic_milliseconds());
            upstream_.reset();
        } else {
            drop_upstream();
        }
    }
    if (!keep_client_ || !request_complete || worker_.is_ending()) return linger();
    state_ = State::head;
    set_deadline(worker_.is_draining() ? kLingerTime : worker_.options().keep_alive_timeout);
    if (client_in_.empty()) return read_client();
    // The next request is here already; a fresh turn keeps a long pipeline from growing the stack.
    asio::post(worker_.loop(), [self = SessionPtr(this)] {
        if (self->state_ == State::head) self->read_head();
    });
}

void Session::linger() {
    // Closing at once would reset the connection while the client may still be sending, and destroy the
    // answer that is on its way (RFC 9112 §9.6).
    state_ = State::lingering;
    drop_upstream();
    release_kept();
    client_in_.consume(client_in_.data().size());
    if (client_ended_) return abort();
    client_.end();
    set_deadline(kLingerTime);
    read_client();
}

void Session::answer_error(unsigned status) {
    const auto& options = worker_.options();
    if (is_upgrade_) {
        keep_alive_ = false;
        return answer(status, {});
    }
    if (options.error_target.empty()) return answer(status, error_page(status, options));
    state_ = State::fetching_page;
    deadline_ = 0;
    read_client();
    worker_.fetch_error_page(SessionPtr(this), status, target_);
}

void Session::on_error_page(unsigned status, std::optional<ErrorPage> page) {
    if (state_ != State::fetching_page) return;
    answer(status, page ? *page : error_page(status, worker_.options()));
}

void Session::answer(unsigned status, const ErrorPage& page) {
    if (client_writing_) return abort();  // an interim answer is half written; nothing can follow it
    to_client_.clear();
    answer_head_.clear();
    release_kept();
    state_ = State::own_answer;
    count_answer(status);
    keep_client_ = keep_alive_ && request_done_ && !request_writing_ && !worker_.is_draining();
    answer_body_ = page.body;
    write_own_head(
        answer_head_,
        status,
        page.content_type,
        page.content_encoding,
        answer_body_.size(),
        keep_client_ ? KeepAlive::yes : KeepAlive::no);
    to_client_.add(answer_head_);
    if (!is_head_) to_client_.add(answer_body_);
    response_done_ = true;
    set_deadline(worker_.options().stall_time());
    if (flush_client()) finish_exchange();
}

}  // namespace berth::proxy
