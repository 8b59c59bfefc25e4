// After 101: bytes both ways until both sides have ended. No idle deadline (hub-protocol §8.5.7); TCP
// keep-alive finds peers that vanished.
#include "proxy/metrics.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <sys/socket.h>

namespace berth::proxy {
namespace {

constexpr std::chrono::milliseconds kHalfOpenTime{30'000};

}  // namespace

void Session::begin_tunnel() {
    state_ = State::tunnel;
    response_begun_ = true;
    count_answer(response_.status);
    set_deadline(std::chrono::milliseconds{0});
    set_keep_alive(client_.native());
    set_keep_alive(upstream_->native());
    to_client_.clear();
    ResponseForward how;
    how.upgrade = IsUpgrade::yes;
    write_response_head(answer_head_, response_, how, worker_.options());
    upstream_->in.consume(response_.bytes);
    to_client_.add(answer_head_);
    frames_ = {};
    route_->touch(unix_milliseconds());
    if (!flush_client() && state_ == State::closed) return;
    if (!client_writing_) pump_down();
    if (state_ == State::tunnel) pump_up();
}

void Session::pump_up() {
    while (!request_writing_) {
        const auto data = client_in_.data();
        if (data.empty() || request_broken_) break;
        route_->touch(unix_milliseconds());
        to_upstream_.add(data);
        in_flight_ = data.size();
        if (!flush_request()) break;
    }
    if (client_ended_) return close_when_both_ended();
    read_client();
}

void Session::pump_down() {
    auto& in = upstream_->in;
    while (!client_writing_ && !in.empty()) {
        to_client_.add(in.data());
        frames_.advance(in.data());
        response_in_flight_ = in.data().size();
        if (!flush_client()) return;
    }
    if (client_writing_) return;
    if (upstream_ended_) return close_when_both_ended();
    upstream_->read();
}

void Session::say_goodbye() {
    if (!is_tunnel()) return abort();
    if (upstream_ended_ || client_writing_ || !frames_.between_frames()) return abort();
    upstream_ended_ = true;  // nothing may follow a Close frame
    ::shutdown(upstream_->native(), SHUT_RDWR);
    Slices goodbye;
    goodbye.add(http::kGoingAway);
    (void)client_.send(goodbye);
    client_.end();
}

void Session::close_when_both_ended() {
    const bool up_done = client_ended_ && !request_writing_ && client_in_.empty();
    const bool down_done = upstream_ended_ && !client_writing_ && upstream_->in.empty();
    if ((up_done || request_broken_) && down_done) return abort();
    if (up_done) ::shutdown(upstream_->native(), SHUT_WR);
    if (down_done) client_.end();
    if (deadline_ == 0) set_deadline(kHalfOpenTime);
}

}  // namespace berth::proxy
