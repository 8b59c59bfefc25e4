// The client's side of an exchange: choosing a connection to the target and sending the request there.
#include "obs/log.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <charconv>

namespace berth::proxy {
namespace {

constexpr std::size_t kKeptBody = 64 * 1024;

// RFC 9110 §9.2.2. A request that a target may have acted upon is sent again only if acting twice does no
// harm.
bool is_idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
           method == "OPTIONS" || method == "TRACE" || method == "PROPFIND";
}

}  // namespace

// A body that fits the buffer can stay there until the target has begun to answer. (While a read is pending
// the buffer cannot grow, so then all of the body must be there.)
bool Session::can_keep_body() const {
    if (body_.kind != http::BodyKind::length) return false;
    return body_.length <= client_in_.data().size() || (body_.length <= kKeptBody && !client_reading_);
}

void Session::use_upstream(bool fresh) {
    if (!fresh) may_repeat_ = is_idempotent(head_.method) && (request_done_ || can_keep_body());
    auto& pool = worker_.pool();
    if (!fresh) upstream_ = pool.take(route_->target.pool, !may_repeat_);
    if (upstream_) {
        upstream_->user = this;
        return send_request();
    }
    upstream_ = UpstreamPtr(new Upstream(worker_.poll(), pool, route_->target.pool));
    upstream_->user = this;
    state_ = State::connecting;
    set_deadline(worker_.options().connect_timeout);
    read_client();
    upstream_->connect(route_->target);
}

void Session::on_upstream_connected(error_code failure) {
    const SessionPtr guard(this);
    if (state_ != State::connecting) return;
    if (failure) return upstream_failed(failure.message());
    send_request();
}

void Session::send_request() {
    state_ = State::exchange;
    to_upstream_.clear();
    to_upstream_.add(request_head_);
    keeps_body_ = upstream_->reused && may_repeat_ && !request_done_;
    if (keeps_body_ && client_in_.space().size() + client_in_.data().size() < body_.length) {
        client_in_.resize(static_cast<std::size_t>(body_.length));
    }
    fill_request();
    if (state_ != State::exchange) return;  // the first bytes of its body were refused
    set_deadline(request_done_ ? worker_.options().proxy_timeout : worker_.options().stall_time());
    if (flush_request()) {
        upstream_->read();
        return pump_request();
    }
    if (upstream_) upstream_->read();
    read_client();
}

void Session::pump_request() {
    while (!request_writing_ && !request_broken_ && fill_request()) {
        if (!flush_request()) break;
        const auto& options = worker_.options();
        set_deadline(request_done_ ? options.proxy_timeout : options.stall_time());
    }
    read_client();
}

bool Session::fill_request() {
    const auto data = client_in_.data().substr(kept_);
    if (request_done_ || data.empty() || state_ != State::exchange) return false;
    if (body_.kind == http::BodyKind::chunked) return fill_chunks(data);
    const auto piece =
        data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, data.size())));
    to_upstream_.add(piece);
    in_flight_ = piece.size();
    body_left_ -= piece.size();
    request_done_ = body_left_ == 0;
    route_->touch(unix_milliseconds());
    return true;
}

// Chunks go out under sizes of our own, without extensions and trailers: nothing of the client's coding,
// which another parser might read in another way, reaches the target.
bool Session::fill_chunks(std::string_view data) {
    std::size_t used = 0;
    std::string_view payload;
    while (used < data.size() && payload.empty() && !request_chunks_.done()) {
        auto step = request_chunks_.next(data.substr(used));
        if (!step) {
            log::debug("request.refused", {{"peer", client_address_}, {"why", step.error().code.message()}});
            drop_upstream();
            if (response_begun_)
                abort();
            else
                refuse_head(step.error());
            return false;
        }
        used += step->consumed;
        payload = step->payload;
        if (step->consumed == 0) break;
    }
    if (!payload.empty()) {
        auto* end = std::to_chars(chunk_line_.data(), chunk_line_.data() + 16, payload.size(), 16).ptr;
        *end++ = '\r';
        *end++ = '\n';
        to_upstream_.add({chunk_line_.data(), static_cast<std::size_t>(end - chunk_line_.data())});
        to_upstream_.add(payload);
        to_upstream_.add("\r\n");
        route_->touch(unix_milliseconds());
    }
    if (request_chunks_.done()) {
        to_upstream_.add("0\r\n\r\n");
        request_done_ = true;
    }
    in_flight_ = used;
    if (to_upstream_.empty()) {
        client_in_.consume(used);
        in_flight_ = 0;
        return false;
    }
    return true;
}

bool Session::flush_request() {
    switch (to_upstream_.send(upstream_->native())) {
        case Sent::all:
            settle_in_flight();
            return true;
        case Sent::failed:
            // Its answer, or its end, is still to be read; the rest of the request has nowhere to go.
            request_broken_ = true;
            to_upstream_.clear();
            settle_in_flight();
            return false;
        case Sent::some:
            break;
    }
    request_writing_ = true;
    upstream_->wait_writable();
    return false;
}

void Session::on_upstream_writable() {
    const SessionPtr guard(this);
    request_writing_ = false;
    if (!flush_request()) return;
    if (state_ == State::tunnel) return pump_up();
    if (state_ == State::exchange) pump_request();
}

void Session::settle_in_flight() {
    if (keeps_body_)
        kept_ += in_flight_;
    else
        client_in_.consume(in_flight_);
    in_flight_ = 0;
}

void Session::release_kept() {
    client_in_.consume(kept_);
    kept_ = 0;
    keeps_body_ = false;
}

void Session::drop_upstream() {
    if (upstream_) upstream_->close();
    upstream_.reset();
    request_writing_ = false;
    to_upstream_.clear();
    settle_in_flight();
}

void Session::upstream_failed(std::string_view why) {
    const bool again = upstream_ && upstream_->reused && may_repeat_ && !response_seen_ && !tried_again_;
    drop_upstream();
    // Of the connection that failed; a tunnel over the next one would be closed at once.
    request_broken_ = upstream_ended_ = false;
    if (response_begun_) return abort();  // the client must see that the answer is not whole
    if (again) {
        tried_again_ = true;
        if (keeps_body_) {
            kept_ = 0;
            keeps_body_ = false;
            body_left_ = body_.length;
            request_done_ = false;
        }
        return use_upstream(true);
    }
    log::warn("upstream.failed", {{"target", route_->target.origin}, {"why", why}});
    answer_error(503);
}

}  // namespace berth::proxy
