// The target's side of an exchange: reading its answer and handing it to the client.
#include "http/framing.hpp"
#include "proxy/metrics.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace berth::proxy {
namespace {

constexpr http::HeadLimits kLimits;

}  // namespace

void Session::on_upstream_read(error_code failure) {
    const SessionPtr guard(this);
    if (state_ == State::closed) return;
    if (failure) upstream_ended_ = true;
    if (state_ == State::tunnel) return pump_down();
    if (state_ == State::connecting) return;
    if (!failure) response_seen_ = true;
    const bool is_cut = failure && failure != asio::error::eof;
    if (is_cut || (failure && !response_begun_)) return upstream_failed(failure.message());
    if (response_begun_) return pump_response();
    if (!client_writing_) read_response();
}

void Session::read_response() {
    for (;;) {
        auto& in = upstream_->in;
        const auto answers_head = is_head_ ? http::AnswersHead::yes : http::AnswersHead::no;
        auto progress = http::read_response_head(in.data(), kLimits, answers_head, response_);
        if (!progress) return upstream_failed("its answer is malformed: " + progress.error().code.message());
        if (*progress == http::HeadProgress::incomplete) {
            if (in.data().size() >= kLimits.max_bytes)
                return upstream_failed("the head of its answer is too large");
            if (in.data().size() == in.capacity()) in.resize(in.capacity() * 2);
            if (!to_client_.empty() && !flush_client()) return;
            answer_head_.clear();
            if (upstream_) upstream_->read();
            return;
        }
        release_kept();
        if (response_.status == 101) {
            if (!is_upgrade_) return upstream_failed("it switched protocols without being asked");
            return begin_tunnel();
        }
        if (response_.status >= 200) return begin_response();
        if (!is_http_1_0_) {  // an interim answer; HTTP/1.0 knows none (RFC 9110 §15.2)
            to_client_.clear();
            write_response_head(answer_head_, response_, {}, worker_.options());
            to_client_.add(answer_head_);
        }
        in.consume(response_.bytes);
    }
}

void Session::begin_response() {
    response_begun_ = true;
    count_answer(response_.status);
    const auto kind = response_.body.kind;
    dechunk_ = is_http_1_0_ && kind == http::BodyKind::chunked;
    keep_client_ = keep_alive_ && kind != http::BodyKind::until_close && !dechunk_ && request_done_ &&
                   !request_writing_ && !request_broken_ && !worker_.is_draining();
    ResponseForward how;
    how.keep_alive = keep_client_ ? KeepAlive::yes : KeepAlive::no;
    how.dechunk = dechunk_;
    how.to = &route_->target;
    how.host = host_;
    to_client_.clear();
    write_response_head(answer_head_, response_, how, worker_.options());
    upstream_->in.consume(response_.bytes);
    to_client_.add(answer_head_);
    response_left_ = kind == http::BodyKind::length ? response_.body.length : 0;
    response_done_ = kind == http::BodyKind::none || (kind == http::BodyKind::length && response_left_ == 0);
    if (kind == http::BodyKind::chunked) response_chunks_ = {};
    if (!fill_response()) return;
    note_success();
    set_deadline(worker_.options().stall_time());
    if (flush_client()) pump_response();
}

// Puts what the target sent into to_client_; false when the exchange ended in doing so.
bool Session::fill_response() {
    if (response_done_) return true;
    auto& in = upstream_->in;
    auto data = in.data();
    if (response_.body.kind == http::BodyKind::length) {
        data = data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(response_left_, data.size())));
        response_left_ -= data.size();
        response_done_ = response_left_ == 0;
        to_client_.add(data);
        response_in_flight_ = data.size();
    } else if (response_.body.kind == http::BodyKind::chunked) {
        std::size_t used = 0;
        std::string_view payload;
        while (used < data.size() && !response_chunks_.done() && (!dechunk_ || payload.empty())) {
            auto step = response_chunks_.next(data.substr(used));
            if (!step) {
                upstream_failed("the chunks of its answer are malformed");
                return false;
            }
            used += step->consumed;
            payload = step->payload;
            if (step->consumed == 0) break;
        }
        // Checked byte by byte, the coding may go out as it came.
        to_client_.add(dechunk_ ? payload : data.substr(0, used));
        response_in_flight_ = used;
        response_done_ = response_chunks_.done();
    } else {
        to_client_.add(data);
        response_in_flight_ = data.size();
        response_done_ = upstream_ended_ && data.empty();
    }
    return true;
}

// Before its last byte goes out: who has the answer and asks the API sees it.
void Session::note_success() {
    if (response_done_ && response_.status < 300) route_->touch(unix_milliseconds());
}

void Session::pump_response() {
    while (!client_writing_) {
        if (response_done_) return finish_exchange();
        if (upstream_->in.empty()) {
            if (!upstream_ended_) {
                const auto& options = worker_.options();
                set_deadline(request_done_ ? options.timeout : options.stall_time());
                return upstream_->read();
            }
            if (response_.body.kind != http::BodyKind::until_close) return upstream_failed("it closed early");
        }
        if (!fill_response()) return;
        note_success();
        if (!flush_client()) return;
    }
}

// Sends what to_client_ holds; true when all of it went. Else on_client_writable() goes on, or the session is
// over.
bool Session::flush_client() {
    switch (client_.send(to_client_)) {
        case Sent::all:
            if (upstream_) upstream_->in.consume(response_in_flight_);
            response_in_flight_ = 0;
            return true;
        case Sent::failed:
            abort();
            return false;
        case Sent::some:
            break;
    }
    client_writing_ = true;
    if (state_ != State::tunnel) set_deadline(worker_.options().stall_time());
    client_.wait_writable();
    return false;
}

void Session::on_client_writable() {
    const SessionPtr guard(this);
    client_writing_ = false;
    if (!flush_client()) return;
    switch (state_) {
        case State::own_answer:
            return finish_exchange();
        case State::tunnel:
            return pump_down();
        case State::exchange:
            if (response_begun_) return pump_response();
            answer_head_.clear();
            return read_response();
        default:
            return;
    }
}

}  // namespace berth::proxy
