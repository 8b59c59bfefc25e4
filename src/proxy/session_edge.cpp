// Answers that come from the edge cache instead of from the target.
#include "base/text.hpp"
#include "proxy/edge_answer.hpp"
#include "proxy/metrics.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace berth::proxy {
namespace {

bool shows_pass(const http::RequestHead& head, const EdgePasses& passes, const Route& route) {
    const auto now = unix_milliseconds() / 1000;
    for (const auto& field : head.fields) {
        if (equals_ignoring_case(field.name, "Cookie") && passes.holds(field.value, route.key, now))
            return true;
    }
    return false;
}

}  // namespace

// True when the request has been answered. Whatever is in doubt goes on to the target, as if there were no
// cache.
bool Session::answer_from_edge(const RequestTarget& target) {
    if (!route_->edge || worker_.options().host_routing) return false;
    const auto path = strip_components(target.path, route_->depth).substr(1);
    const auto* file = route_->edge->find(path, target.query);
    if (file == nullptr) return false;
    const auto answer = edge_answer(head_, *file);
    if (!answer || !shows_pass(head_, worker_.edge_passes(), *route_)) return false;
    const auto now = unix_milliseconds();
    const bool ahead = is_prefetch(head_);
    if (!ahead) route_->touch(now);
    route_->edge->note(*file, target.query, ahead, now);
    count_edge_answer(answer->status);
    count_answer(answer->status);
    state_ = State::own_answer;
    keep_client_ = keep_alive_ && !worker_.is_draining();
    to_client_.clear();
    answer_head_.clear();
    write_edge_head(
        answer_head_, *file, *answer, target.query, keep_client_ ? KeepAlive::yes : KeepAlive::no);
    to_client_.add(answer_head_);
    if (!is_head_ && answer->status == 200) to_client_.add(answer->body);  // route_ keeps it until it is sent
    response_done_ = true;
    set_deadline(worker_.options().stall_timeout);
    if (flush_client()) finish_exchange();
    return true;
}

}  // namespace berth::proxy
